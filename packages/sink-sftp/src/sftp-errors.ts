import { networkMeaning } from '@pipe-backup/http'
import { SinkError, type SinkErrorCode } from '@pipe-backup/sink'

/** SSH_FX_*: draft-ietf-secsh-filexfer-02 section 7, and what later drafts added that servers send in version 3 too. */
export const Status = { noSuchFile: 2, permissionDenied: 3, failure: 4, unsupported: 8 } as const

/** Of what the server, or ssh2, says in its own words. */
const SAID_CHARACTERS = 200

export const NO_SPACE = 'not stored: the server has no space left'
export const FREE_SOME = 'Free some space, then run `pipe-backup heal`.'

const STATUS: Readonly<Record<number, readonly [SinkErrorCode, string, string?]>> = {
  2: ['not-found', 'is not there'],
  3: ['forbidden', 'permission denied by the server', 'Check who owns the directory, and its mode.'],
  4: ['protocol', 'the server failed to do it, and does not say why', 'Is its disk full, or read-only?'],
  5: ['protocol', 'the server did not understand the request'],
  6: ['unreachable', 'the server has no connection'],
  7: ['unreachable', 'the connection was lost'],
  8: ['protocol', 'the server does not offer this operation'],
  11: ['exists', 'exists already'],
  12: ['forbidden', 'the file system is read-only'],
  14: ['full', NO_SPACE, FREE_SOME],
  15: ['full', 'not stored: the quota is used up', FREE_SOME],
}

/** The one place that knows the errors of ssh2 and of SFTP servers. */
export function toSinkError(cause: unknown, sink: string, key?: string): unknown {
  if (!(cause instanceof Error) || cause.name === 'SinkError' || cause.name === 'AbortError') return cause
  const make = (code: SinkErrorCode, what: string, hint?: string) =>
    new SinkError(code, what, {
      sink,
      cause,
      key,
      hint,
    })
  const said = cause.message.replace(/\s+/g, ' ').slice(0, SAID_CHARACTERS)
  const code: unknown = 'code' in cause ? cause.code : undefined
  const level: unknown = 'level' in cause ? cause.level : undefined
  if (level === 'client-authentication') {
    return make(
      'unauthorized',
      'the server does not accept this user with this key or password',
      'Is the public key in its authorized_keys?',
    )
  }
  if (level === 'client-timeout') return make('timeout', 'the server does not answer')
  if (level === 'sftp-protocol') {
    const shown = printedIn(cause.message)
    const what = shown === '' ? said : `it begins with ${JSON.stringify(shown)}`
    return make('protocol', `what the server says is no SFTP (${what})`, PRINTS)
  }
  if (/^Received exit (code|signal)/.test(cause.message)) {
    // With the program's exit code where others have a status of SFTP.
    return make(
      'protocol',
      `the server ended the session before it began (${said})`,
      'May this user use SFTP there? A chroot, and all above it, must belong to root and be writable by nobody else.',
    )
  }
  const network = networkMeaning(cause, { address: '`host` and `port`' })
  if (network) return make(network.code, network.what, network.hint)
  if (typeof code === 'number') {
    const [meaning, what, hint] = STATUS[code] ?? [
      'protocol' as const,
      `the server answered with status ${code}`,
    ]
    return make(meaning, what, hint)
  }
  // ssh2 says no more of a connection that ended than a sentence.
  return make('unreachable', `the connection failed (${said})`)
}

const PRINTS = 'Does a start-up file of the server’s shell print something?'

/** The length of a packet that ssh2 finds too large is four letters of what a login prints before it runs SFTP. */
function printedIn(message: string): string {
  const [, length] = /^Packet length (\d+) exceeds/.exec(message) ?? []
  if (length === undefined || Number(length) > 0xffffffff) return ''
  const letters = Buffer.alloc(4)
  letters.writeUInt32BE(Number(length))
  return letters
    .toString('latin1')
    .replace(/[^ -~]/g, '')
    .trim()
}

export function isStatus(error: unknown, status: number): boolean {
  return error instanceof Error && 'code' in error && error.code === status
}
