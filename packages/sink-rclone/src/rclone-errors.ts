import { SinkError, type SinkErrorCode } from '@pipe-backup/sink'

const SHOWN_CHARACTERS = 500

/** How rclone ended. */
export class RcloneFailure extends Error {
  override readonly name = 'RcloneFailure'
  readonly exitCode: number | undefined
  /** The last thing that it complained of, without the time. */
  readonly said: string

  constructor(exitCode: number | undefined, said: string, why: string | undefined) {
    const lines = said.trim().split(/[\r\n]+/)
    const last = (lines.at(-1) ?? '').replace(
      /^\d{4}\/\d\d\/\d\d [\d:]+ (?:ERROR : |Failed to \w+(?: with \d+ errors)?: )?/,
      '',
    )
    super(last === '' ? (why ?? `rclone exited with ${exitCode}`) : last.slice(0, SHOWN_CHARACTERS))
    this.exitCode = exitCode
    this.said = said
  }
}

/** https://rclone.org/docs/#exit-code */
const NOT_FOUND: readonly (number | undefined)[] = [3, 4]
const TEMPORARY_ERROR = 5

const CONFIG = 'Look with `rclone config` and `rclone lsd`.'
const MEANINGS: readonly (readonly [said: RegExp, code: SinkErrorCode, what: string, hint?: string])[] = [
  [/didn't find section in config file/i, 'protocol', 'rclone knows no such remote', CONFIG],
  [/no space left|quota|insufficient storage|storageFull/i, 'full', 'not stored: there is no room left'],
  [/too many requests|rate ?limit|slow ?down|\b429\b/i, 'throttled', 'the server asks to slow down'],
  [
    /unauthorized|authenticat|invalid_grant|token|\b401\b|permission denied \(publickey/i,
    'unauthorized',
    'the login is not accepted',
    CONFIG,
  ],
  [/permission denied|access ?denied|forbidden|read-only|\b403\b/i, 'forbidden', 'not allowed', CONFIG],
  [/timeout|timed out|deadline/i, 'timeout', 'the server does not answer'],
  [
    /connection refused|no such host|network is unreachable|connection reset|\bEOF\b|dial tcp|\b50[0234]\b/i,
    'unreachable',
    'the server can’t be reached',
  ],
  [
    /is a directory|not a directory|file exists/i,
    'refused-key',
    'is in the way of another object, or another of it',
  ],
]

/** Whether it says that what was asked for is not there. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof RcloneFailure)) return false
  return NOT_FOUND.includes(error.exitCode) || /is a directory or doesn't exist/.test(error.said)
}

/** The one place that knows what rclone's failures mean. What is none is given back as it is. */
export function toSinkError(cause: unknown, sink: string, key?: string): unknown {
  if (!(cause instanceof RcloneFailure)) return cause
  const make = (code: SinkErrorCode, what: string, hint?: string) =>
    new SinkError(code, what, { sink, key, hint, cause })
  if (cause.exitCode === undefined && /ENOENT/.test(cause.message))
    return make('protocol', 'rclone is not installed', 'Install it, or name the program in `program`.')
  if (isMissing(cause)) return make('not-found', 'is not there')
  const known = MEANINGS.find(([said]) => said.test(cause.said))
  if (known) return make(known[1], `${known[2]} (${cause.message})`, known[3])
  if (cause.exitCode === TEMPORARY_ERROR) return make('unreachable', `rclone has failed: ${cause.message}`)
  return make('protocol', `rclone has failed: ${cause.message}`, CONFIG)
}
