import { SinkError, type SinkErrorCode, type SinkErrorOptions } from '@pipe-backup/sink'
import { ProgramFailure } from './run-program.ts'

interface Meaning {
  readonly said: RegExp
  readonly code: SinkErrorCode
  readonly what: string
  readonly hint?: string | undefined
}

/** What the directory's absence looks like: as reported by a server that receives, by one that sends, by rrsync. */
const NO_DIRECTORY =
  /change_dir(#\d+)? ".*" (\(in .*\) )?failed: No such file|mkdir ".*\/?\." (\(in .*\) )?failed: No such file|post-realpath open failed .*No such file/

/** In the order in which they are looked for: texts of ssh, rrsync and rsync, which stay in English with LC_ALL=C. */
const MEANINGS: readonly Meaning[] = [
  {
    said: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    code: 'unauthorized',
    what: "the server's key is another than the known one",
    hint: 'Another machine answers in its place, or its key was changed: ask its owner.',
  },
  {
    said: /Host key verification failed|host key is known for|no matching host key/,
    code: 'unauthorized',
    what: "the server's key is not known",
    hint: "Compare what `ssh-keyscan HOST | ssh-keygen -lf -` shows with what the server's owner says, then put it into the configuration as hostKey.",
  },
  {
    said: /Permission denied \([a-z,-]+\)|Too many authentication failures|Load key ".*"/,
    code: 'unauthorized',
    what: 'the server does not accept this user with this key',
    hint: 'Is the public key in its authorized_keys? A private key with a passphrase must be in an agent.',
  },
  {
    said: /auth failed on module/,
    code: 'unauthorized',
    what: 'the daemon does not accept this user with this password',
    hint: "Is the user in the module's `auth users`, and in its secrets file with this password?",
  },
  {
    said: /@ERROR: access denied/,
    code: 'forbidden',
    what: 'the daemon takes nothing from this address',
    hint: 'Look at `hosts allow` in its rsyncd.conf.',
  },
  { said: /Unknown module/, code: 'forbidden', what: 'the daemon has no such module' },
  {
    said: /max connections \(-?\d+\) reached|Another instance of rrsync/,
    code: 'throttled',
    what: 'the server is busy with another rsync',
  },
  {
    said: /Restricted directory does not exist|@ERROR: (chdir|chroot) failed/,
    code: 'unreachable',
    what: 'the server does not find its own directory',
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
  {
    said: /has been disabled on this server|is configured to refuse|server cannot read a remote/,
    code: 'forbidden',
    what: 'the server does not allow it',
  },
  { said: /ERROR: .* failed verification/, code: 'corrupt', what: 'arrived damaged, and was thrown away' },
  {
    said: /mkstemp ".*" (\(in .*\) )?failed: No such file/,
    code: 'unreachable',
    what: 'its directory was removed in the same moment',
  },
  {
    said: /Permission denied \(13\)|Operation not permitted|Read-only file system/,
    code: 'forbidden',
    what: 'permission denied by the server',
    hint: 'Check who owns the directory, and its mode.',
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
    said: /Failed to exec|ENOENT/,
    code: 'protocol',
    what: 'a program is missing on this machine',
    hint: 'Install rsync and the OpenSSH client.',
  },
  { said: /timed out|timeout/i, code: 'timeout', what: 'the server does not answer' },
  {
    said: /Connection (refused|reset|closed)|Could not resolve|getaddrinfo|No route to host|Network is unreachable|Broken pipe|unexpectedly closed|did not see server greeting|get server startup line|failed to connect/,
    code: 'unreachable',
    what: "can't be reached, or the connection was lost",
  },
]

/** rsync(1), EXIT VALUES, and 255 of ssh(1). */
const CODES: Readonly<Record<number, SinkErrorCode>> = {
  10: 'unreachable',
  12: 'unreachable',
  19: 'unreachable',
  20: 'unreachable',
  24: 'not-found',
  30: 'timeout',
  35: 'timeout',
  127: 'protocol',
  255: 'unreachable',
}

/** The one place that knows what rsync, rrsync and ssh say when they fail. */
export function toSinkError(cause: unknown, sink: string, key?: string): unknown {
  const place = { sink, cause, key }
  if (!(cause instanceof ProgramFailure)) return isOfFiles(cause) ? spoolError(cause.code, place) : cause
  if (isNoDirectory(cause)) {
    const hint = 'Is its disk mounted? `pipe-backup init` makes the directory.'
    return new SinkError('unreachable', 'the server has no such directory', { ...place, hint })
  }
  const meaning = MEANINGS.find(({ said }) => said.test(cause.said))
  const line = tellingLine(cause)
  const reported = line === '' ? `${cause.program} ended with ${cause.exitCode}` : line
  if (!meaning) return new SinkError(CODES[cause.exitCode] ?? 'protocol', `failed: ${reported}`, place)
  const { code, what, hint } = meaning
  return new SinkError(code, `${what} (${reported})`, { ...place, hint })
}

/** An error of node:fs: all files that this package touches are in the spool. */
function isOfFiles(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}

/** @param code - of node:fs: ENOSPC */
export function spoolError(code: string, place: SinkErrorOptions): SinkError {
  if (!['ENOSPC', 'EDQUOT', 'ENOMEM'].includes(code))
    return new SinkError('protocol', `its copy in memory can't be used (${code})`, place)
  const hint = 'Make its tmpfs larger, or name another as `spool`.'
  return new SinkError('full', `this machine has no memory left for its copy (${code})`, { ...place, hint })
}

export function isNoDirectory({ said }: ProgramFailure): boolean {
  return NO_DIRECTORY.test(said)
}

/** Whether somebody else has the only place; it may be free in a moment. */
export function isBusy({ said }: ProgramFailure): boolean {
  return /Another instance of rrsync|max connections \(\d+\) reached/.test(said)
}

/** Whether the other side is too old for `--fsync`, or does not want it. */
export function refusesFsync({ said }: ProgramFailure): boolean {
  return /--fsync: unknown option|refuse --fsync|option --fsync has been disabled|invalid rsync-command syntax/.test(
    said,
  )
}

/** Whether the connection itself may be what failed. */
export function isOfConnection({ exitCode, said }: ProgramFailure): boolean {
  return [10, 12, 20, 30, 255].includes(exitCode) && !/rrsync error:/.test(said)
}

/** The line that says why, of many. */
function tellingLine({ said }: ProgramFailure): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '' && !/^@{5,}|^WARNING/.test(line))
  const telling = lines.find((line) => MEANINGS.some((meaning) => meaning.said.test(line))) ?? lines[0] ?? ''
  return telling
    .replace(/ at \w+\.c\(\d+\).*$/, '')
    .replace(/[\p{Cc}]/gu, ' ')
    .trim()
    .slice(0, 240)
}
