/** What was asked for needs the recovery phrase, and it is not there, or no longer. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly code = 'locked-vault'

  constructor() {
    super('needs the recovery phrase')
  }
}
