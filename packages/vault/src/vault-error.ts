/**
 * What is wrong with a vault.
 * - `not-a-vault`: no `vault.json`, or that of another vault; `unsupported-version`: made by a newer program;
 * - `forged`: an object that no host wrote which the phrase has certified for it;
 * - `revoked`: written by a host that was revoked, and not among what is believed of it;
 * - `missing`, `corrupt`: an object that is not there, or not what its name and keys say; `unanswered`: it may be on a sink that did not answer;
 * - `not-found`: no such snapshot, source or path; `ambiguous`: an id prefix that fits several snapshots;
 * - `too-few-copies`: fewer sinks are left than must hold a snapshot;
 * - `not-permitted`: this host's key was not made for it;
 * - `busy`: another host is doing what only one may do at a time;
 * - `clock`: the clocks of this host and of a sink are far apart;
 * - `fault`: a pack did not open again after it was sealed: memory or processor can't be trusted.
 */
export type VaultErrorCode =
  | 'not-a-vault'
  | 'unsupported-version'
  | 'forged'
  | 'revoked'
  | 'missing'
  | 'corrupt'
  | 'unanswered'
  | 'not-found'
  | 'ambiguous'
  | 'too-few-copies'
  | 'not-permitted'
  | 'busy'
  | 'clock'
  | 'fault'

export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly code: VaultErrorCode
  readonly sink: string | undefined
  readonly key: string | undefined
  readonly hint: string | undefined

  constructor(
    code: VaultErrorCode,
    message: string,
    options: {
      readonly sink?: string | undefined
      readonly key?: string | undefined
      readonly hint?: string | undefined
      readonly cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.sink = options.sink
    this.key = options.key
    this.hint = options.hint
  }
}
