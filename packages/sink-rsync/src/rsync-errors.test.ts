import { SinkError } from '@pipe-backup/sink'
import { expect, test } from 'vitest'
import { toSinkError } from './rsync-errors.ts'
import { ProgramFailure } from './run-program.ts'

const meaning = (cause: unknown) => {
  const error = toSinkError(cause, 'rs', 'packs/ab')
  return error instanceof SinkError ? { code: error.code, message: error.message } : error
}

/** What the suites on real servers don't meet: as rsync 3.2 and 3.5, rrsync and OpenSSH 9.2 say it. */
test.for<[number, string, string]>([
  [11, 'rsync: [receiver] write failed on "/srv/x/packs/ab": No space left on device (28)', 'full'],
  [23, 'rsync: [receiver] mkstemp "/srv/x/packs/.ab.a1B2c3" failed: Disk quota exceeded (122)', 'full'],
  [23, 'rsync: [receiver] mkstemp "/srv/x/packs/.ab.a1B2c3" failed: Permission denied (13)', 'forbidden'],
  [23, 'rsync: [receiver] mkstemp "/srv/x/packs/.ab.a1B2c3" failed: Read-only file system (30)', 'forbidden'],
  [
    23,
    'rsync: [receiver] mkstemp "/srv/x/packs/.ab.a1B2c3" failed: No such file or directory (2)',
    'unreachable',
  ],
  [
    23,
    'rsync: [receiver] rename "/x/.ab.hboyaj" (in m) -> "packs/ab": Operation not permitted (1)',
    'forbidden',
  ],
  [23, 'ERROR: packs/ab failed verification -- update discarded.', 'corrupt'],
  [12, '/usr/bin/rrsync error: Another instance of rrsync is already accessing this directory.', 'throttled'],
  [12, '/usr/bin/rrsync error: Restricted directory does not exist!', 'unreachable'],
  [5, '@ERROR: max connections (4) reached -- try again later', 'throttled'],
  [5, '@ERROR: chdir failed', 'unreachable'],
  [5, '@ERROR: access denied to vault from h (192.0.2.1)', 'forbidden'],
  [2, 'protocol version mismatch -- is your shell clean?', 'protocol'],
  [30, 'rsync error: timeout in data send/receive (code 30) at io.c(197) [sender=3.5.0]', 'timeout'],
  [
    35,
    'rsync error: timeout waiting for daemon connection (code 35) at socket.c(1) [sender=3.5.0]',
    'timeout',
  ],
  [255, 'ssh: Could not resolve hostname nowhere.example: Name or service not known', 'unreachable'],
  [255, 'ssh: connect to host h port 22: Connection timed out', 'timeout'],
  [255, 'ssh: connect to host h port 22: No route to host', 'unreachable'],
  [255, 'kex_exchange_identification: Connection closed by remote host', 'unreachable'],
  [255, 'u@h: Permission denied (publickey,password).', 'unauthorized'],
  [14, 'rsync: [sender] Failed to exec ssh: No such file or directory (2)', 'protocol'],
  [12, 'No user exists for uid 10001\nrsync: connection unexpectedly closed (0 bytes received)', 'protocol'],
  [20, '', 'unreachable'],
  [99, 'something new', 'protocol'],
])('%i, "%s": %s', ([exitCode, said, code]) => {
  expect(meaning(new ProgramFailure('rsync', exitCode, said))).toMatchObject({ code })
})

test('a message is one line that names the sink and what was said, without its place in the sources', () => {
  const said = [
    '@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@',
    'rsync: [receiver] write failed on "/srv/x/packs/ab": No space left on device (28)',
    'rsync error: error in file IO (code 11) at receiver.c(402) [receiver=3.5.0]',
  ].join('\n')
  expect(meaning(new ProgramFailure('rsync', 11, said))).toEqual({
    code: 'full',
    message:
      'sink "rs": not stored: the server has no space left (rsync: [receiver] write failed on "/srv/x/packs/ab": No space left on device (28))',
  })
})

test('a spool without room is not taken for a server without room, and a bug is left as it is', () => {
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write' })
  expect(meaning(full)).toMatchObject({ code: 'full', message: expect.stringContaining('this machine') })
  const bug = new TypeError('a bug')
  expect(toSinkError(bug, 'rs')).toBe(bug)
})
