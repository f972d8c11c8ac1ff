import { QUOTA_EXCEEDED, SinkError, type SinkErrorCode, type SinkErrorOptions } from '@pipe-backup/sink'
import { ProgramFailure } from './run-program.ts'

interface Meaning {
  readonly said: RegExp
  readonly code: SinkErrorCode
  readonly what: string
  readonly hint?: string | undefined
  readonly isPlaceMissing?: boolean
}

/** What the directory's absence looks like: as reported by a server that receives, by one that sends, by rrsync. */
export const NO_DIRECTORY: RegExp =
  /change_dir(#\d+)? ".*" (\(in .*\) )?failed: No such file|mkdir ".*\/?\." (\(in .*\) )?failed: No such file|post-realpath open failed .*No such file/

/** One side is too old for `--fsync`, or does not want it. */
export const REFUSES_FSYNC: RegExp =
  /--fsync: unknown option|refuse --fsync|option --fsync has been disabled|invalid rsync-command syntax/

/**
 * In the order in which they are looked for: texts of ssh, rrsync and rsync, which stay in English with LC_ALL=C; and exit codes, of
 * rsync(1) and ssh(1).
 */
const MEANINGS: readonly Meaning[] = [
  {
    said: NO_DIRECTORY,
    code: 'unreachable',
    what: 'the server has no such directory',
    hint: 'Is its disk mounted? `pipe-backup init` makes the directory.',
    isPlaceMissing: true,
  },
  {
    said: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|host key is known for|no matching host key/,
    code: 'unauthorized',
    what: "the server's key is not the known one",
    hint: "Another machine may answer in its place. Compare what `ssh-keyscan HOST | ssh-keygen -lf -` shows with what the server's owner says, then put it into the configuration as hostKey.",
  },
  {
    said: /Permission denied \([a-z,-]+\)|Too many authentication failures|Load key ".*"|auth failed on module/,
    code: 'unauthorized',
    what: 'the server does not accept this user with this key or password',
    hint: 'Is the public key in its authorized_keys, or the password in the secrets file of its module? A private key with a passphrase must be in an agent.',
  },
  {
    said: /max connections \(-?\d+\) reached|Another instance of rrsync/,
    code: 'throttled',
    what: 'the server is busy with another rsync',
  },
  {
    said: /Restricted directory does not exist|@ERROR: (chdir|chroot) failed|mkstemp ".*" (\(in .*\) )?failed: No such file/,
    code: 'unreachable',
    what: 'the server does not find its own directory any more',
    hint: 'Is its disk mounted?',
  },
  {
    said: /No space left on device|Disk quota exceeded|File too large \(27\)/,
    code: 'full',
    what: 'not stored: the server has no space left',
    hint: 'Free some space, then run `pipe-backup heal`.',
  },
  {
    said: /module is read only|read-only server is not allowed|module is write only|write-only server is not allowed/,
    code: 'forbidden',
    what: 'the server allows one direction only',
  },
  { said: /ERROR: .* failed verification/, code: 'corrupt', what: 'arrived damaged, and was thrown away' },
  {
    said: /Permission denied \(13\)|Operation not permitted|Read-only file system|@ERROR: access denied|Unknown module|has been disabled on this server|is configured to refuse|server cannot read a remote/,
    code: 'forbidden',
    what: 'the server does not allow it',
    hint: "Look at who owns the directory, at the key's rules, or at the module and its `hosts allow`.",
  },
  {
    said: /is your shell clean/,
    code: 'protocol',
    what: 'the server does not speak rsync',
    hint: 'Does a start-up file of its shell print something?',
  },
  {
    said: /rsync: (command )?not found|rsync: No such file/,
    code: 'protocol',
    what: 'the server has no rsync',
    hint: 'Install it there, or name it as rsyncPath.',
  },
  {
    said: /Failed to exec|ENOENT|\(code 127\)/,
    code: 'protocol',
    what: 'a program is missing on this machine',
    hint: 'Install rsync and the OpenSSH client.',
  },
  {
    said: /No user exists for uid/,
    code: 'protocol',
    what: 'ssh does not start, for this user has no name on this machine',
    hint: 'Give its number a line in /etc/passwd: a container often has none. An sftp sink needs no ssh.',
  },
  { said: /timed out|timeout|\(code 3[05]\)/i, code: 'timeout', what: 'the server does not answer' },
  { said: /\(code 24\)/, code: 'not-found', what: 'vanished in the same moment' },
  {
    said: /Connection (refused|reset|closed)|Could not resolve|getaddrinfo|No route to host|Network is unreachable|Broken pipe|unexpectedly closed|did not see server greeting|get server startup line|failed to connect|\(code (10|12|19|20|255)\)/,
    code: 'unreachable',
    what: "can't be reached, or the connection was lost",
  },
]

const UNKNOWN: Meaning = { said: /^/, code: 'protocol', what: 'failed' }

/** The one place that knows what rsync, rrsync and ssh say when they fail. */
export function toSinkError(cause: unknown, sink: string, key?: string): unknown {
  const place = { sink, cause, key }
  if (cause instanceof ProgramFailure) {
    const { code, what, hint, isPlaceMissing } = meaningOf(cause)
    const reported = tellingLine(cause.said) || `${cause.program} ended with ${cause.exitCode}`
    return new SinkError(code, `${what} (${reported})`, { ...place, hint, isPlaceMissing })
  }
  // An error of node:fs: all files that this package touches are in the spool.
  const isOfFiles = cause instanceof Error && 'syscall' in cause && 'code' in cause
  return isOfFiles ? spoolError(String(cause.code), place) : cause
}

/** @param code - of node:fs: ENOSPC */
export function spoolError(code: string, place: SinkErrorOptions): SinkError {
  if (!['ENOSPC', QUOTA_EXCEEDED, 'ENOMEM'].includes(code))
    return new SinkError('protocol', `its copy in memory can't be made, or used (${code})`, place)
  const hint = 'Make its tmpfs larger, or name another as `spool`.'
  return new SinkError('full', `this machine has no memory left for its copy (${code})`, { ...place, hint })
}

/** What a failure means; its text, where nothing is known of it, is all there is. */
export function meaningOf({ said, exitCode }: ProgramFailure): Meaning {
  const text = `${said}\n(code ${exitCode})`
  return MEANINGS.find((meaning) => meaning.said.test(text)) ?? UNKNOWN
}

/** The line that says why, of many. */
function tellingLine(said: string): string {
  const lines = said
    .split('\n')
    .filter((line) => !/^\s*$|^@{5,}|^WARNING|^ControlSocket|^mux_client/.test(line))
  const telling = lines.find((line) => MEANINGS.some((meaning) => meaning.said.test(line))) ?? lines[0] ?? ''
  return telling
    .replace(/ at \w+\.c\(\d+\).*$/, '')
    .replace(/[\p{Cc}]/gu, ' ')
    .trim()
    .slice(0, 240)
}
