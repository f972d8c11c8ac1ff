/**
 * What is wrong with a configuration.
 * - `unknown-key`, `bad-value`, `missing`: a key that means nothing here, a value that can't be meant, a key that must be there;
 * - `unreadable`: no configuration, or one that can't be read or parsed.
 */
export type ConfigErrorCode = 'unknown-key' | 'bad-value' | 'missing' | 'unreadable'

/** One mistake in a configuration, with its place as far as it is known. */
export interface ConfigProblem {
  readonly code: ConfigErrorCode
  /** One line: what is wrong and what would be right, without the place. Never a secret's value. */
  readonly message: string
  readonly file?: string | undefined
  /** Counted from 1. */
  readonly line?: number | undefined
  /** Counted from 1. */
  readonly column?: number | undefined
  /** As people write it: `sinks[2].bucket`; empty for the whole. */
  readonly path?: string | undefined
}

/** A configuration that can't be used. Nothing was written. Holds at least one problem; `code` is the first one's. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: ConfigErrorCode
  readonly hint: string | undefined
  readonly problems: readonly ConfigProblem[]

  constructor(
    first: ConfigProblem,
    options: {
      readonly more?: readonly ConfigProblem[] | undefined
      readonly hint?: string | undefined
      readonly cause?: unknown
    } = {},
  ) {
    super(describeProblem(first), { cause: options.cause })
    this.code = first.code
    this.hint = options.hint
    this.problems = [first, ...(options.more ?? [])]
  }

  /** Every problem in a line of its own. */
  get lines(): readonly string[] {
    return this.problems.map(describeProblem)
  }
}

/** One line: `file:line:column: sinks[2].bucket: what is wrong`. */
export function describeProblem(problem: ConfigProblem): string {
  const { file, line, column, path, message } = problem
  const at = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  const place = file === undefined ? '' : `${file}${at}: `
  return `${place}${path === undefined || path === '' ? '' : `${path}: `}${message}`
}
