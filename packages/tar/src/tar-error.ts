/**
 * Why an archive, or one entry of it, can't be taken.
 * - `truncated`: it ends before its end mark; `corrupt`: it is not what a tar program writes: a checksum, a number, a map of holes;
 * - `too-large`: a header asks for more memory than any real one needs;
 * - `unsafe-path`: an entry that could land outside the directory it is unpacked in; `unsupported`: a kind of entry that is not known here.
 */
export type TarErrorCode = 'truncated' | 'corrupt' | 'too-large' | 'unsafe-path' | 'unsupported'

/** An archive that can't be read. Recognised by `code`, not by `instanceof`. */
export class TarError extends Error {
  override readonly name = 'TarError'
  readonly code: TarErrorCode
  /** The entry's path as it can be shown, where it is one entry's fault. */
  readonly path: string | undefined
  readonly hint: string | undefined

  constructor(
    code: TarErrorCode,
    message: string,
    options: { readonly path?: string; readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.path = options.path
    this.hint = options.hint
  }
}

/** A name of raw bytes as a message can have it: quoted, on one line, of a bounded length. */
export function shown(name: Uint8Array): string {
  return JSON.stringify(Buffer.from(name.subarray(0, 300)).toString()) + (name.length > 300 ? '…' : '')
}
