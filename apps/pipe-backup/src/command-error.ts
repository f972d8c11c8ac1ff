/**
 * Why a command could not do what was asked, where no package's error says it.
 * - `vault-exists`: `init` where a vault is already; `wrong-phrase`: the recovery phrase of another vault;
 * - `unknown-vault`: a recipient's phrase, and another vault than it is for, or it is not known which that is;
 * - `not-a-file`: `cat` of something else; `locked`: another run goes on; `cancelled`: Ctrl-C at the prompt;
 * - `no-lock`: the lock of the state directory can't be had for a reason of the machine's;
 * - `no-state`: a file of the state directory could not be written;
 * - `hook-failed`: a command that the configuration runs before or after;
 * - `mass-removal`: a prune that would take most of what is there;
 * - `pinned`, `last-copy`: a snapshot that is not forgotten without --force; `last-copy` also when none would be left;
 * - `no-scheduler`: neither systemd nor cron does what was asked;
 * - `no-html`: the file of `status --html` could not be written;
 * - `not-empty`: a directory that the page is to restore into has something in it;
 * - `no-page`: the page that `ui` serves was not built; `port-taken`: it can't listen where it was asked to.
 */
export type CommandErrorCode =
  | 'vault-exists'
  | 'wrong-phrase'
  | 'unknown-vault'
  | 'not-a-file'
  | 'locked'
  | 'no-lock'
  | 'no-state'
  | 'cancelled'
  | 'hook-failed'
  | 'mass-removal'
  | 'pinned'
  | 'last-copy'
  | 'no-scheduler'
  | 'no-page'
  | 'port-taken'
  | 'nothing-piped'
  | 'not-empty'
  | 'no-html'

/** A command that failed for a reason that a person can understand: exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: CommandErrorCode
  readonly hint: string | undefined

  constructor(code: CommandErrorCode, message: string, hint?: string) {
    super(message)
    this.code = code
    this.hint = hint
  }
}
