/**
 * Why something could not be taken.
 * - `unreadable`: permission, I/O; `changed`: it would not hold still; `vanished`: gone since it was listed;
 * - `command-failed`: a program ended badly; `truncated`: its output lacks its end; `timeout`: nothing came for too long;
 * - `skipped`: left out on purpose (a socket).
 */
export type SourceErrorCode =
  | 'unreadable'
  | 'changed'
  | 'vanished'
  | 'command-failed'
  | 'truncated'
  | 'timeout'
  | 'skipped'

/** Something about one entry, or one directory, that the run's report must name. */
export interface SourceProblem {
  readonly code: SourceErrorCode
  /** As it can be shown: UTF-8, with U+FFFD for what is not. */
  readonly path: string
  /** One line: what and why, without the path. */
  readonly message: string
}

/** An entry or a whole source that can't be read. Recognised by `code`, not by `instanceof`. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly code: SourceErrorCode
  readonly path: string | undefined
  readonly hint: string | undefined

  constructor(
    code: SourceErrorCode,
    message: string,
    options: {
      readonly path?: string | undefined
      readonly hint?: string | undefined
      readonly cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.path = options.path
    this.hint = options.hint
  }
}
