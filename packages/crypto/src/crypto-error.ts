/**
 * `wrong-key`: made for somebody else; `truncated`, `tampered`: the bytes are not those that were sealed; `bad-phrase`: not a phrase;
 * `forged`: not signed by a host that the phrase has certified.
 */
export type CryptoErrorCode = 'wrong-key' | 'truncated' | 'tampered' | 'bad-phrase' | 'forged'

/** A failure to open or to understand something. Recognised by `code`. Never holds a secret. */
export class CryptoError extends Error {
  override readonly name = 'CryptoError'
  readonly code: CryptoErrorCode
  readonly hint: string | undefined

  constructor(
    code: CryptoErrorCode,
    message: string,
    options: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}
