/**
 * - `not-found`, `ambiguous`: no archive, or several, fit what was asked for;
 * - `corrupt`: an object is not what it should be; `missing`: it is not there;
 * - `lost`: no sink that answers holds it whole;
 * - `incomplete`: a sink lacks what is to be kept, so nothing is removed from it.
 */
export type ArchiveErrorCode = 'not-found' | 'ambiguous' | 'corrupt' | 'missing' | 'lost' | 'incomplete'

/** What is wrong with an archive. Recognised by `code`, not by `instanceof`. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly code: ArchiveErrorCode
  readonly hint: string | undefined

  constructor(
    code: ArchiveErrorCode,
    message: string,
    options: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}
