import { randomBytes } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SourceError } from '@pipe-backup/source'
import { execa } from 'execa'
import {
  type ClientProgram,
  connectionOptions,
  findProgram,
  NOISE,
  type ServerOptions,
} from './client-program.ts'

/** A server for drills: whatever is on it, only databases that a drill has made are touched. */
export type ScratchServer = ServerOptions

/**
 * Proves a dump by loading it: into a database of a new name, `pipe_backup_drill_…`, which is dropped again.
 * @returns how many tables and views there were then
 * @throws SourceError `command-failed`, with the server's complaint; the abort's reason
 */
export async function loadDump(
  server: ScratchServer,
  dump: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  const program = await findProgram(['mariadb', 'mysql'])
  const database = `pipe_backup_drill_${randomBytes(8).toString('hex')}`
  const run = (args: readonly string[], input: AsyncIterable<Uint8Array>): Promise<string> =>
    runClient(program, server, args, input, signal)
  await run([], statement(`CREATE DATABASE ${database}`))
  try {
    await run([`--database=${database}`], dump)
    const count = `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '${database}'`
    return Number(await run(['--batch', '--skip-column-names'], statement(count)))
  } finally {
    // Also when the drill was stopped: it is to leave nothing behind.
    await runClient(program, server, [], statement(`DROP DATABASE ${database}`), undefined)
  }
}

async function* statement(sql: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${sql};\n`)
}

/** Standard input is the SQL, so the option file comes on a pipe of its own, which the shell makes: Node gives a child sockets. */
const WITH_OPTIONS = '{ cat <&3 | exec "$0" "$@" 5<&0 0<&4; } 4<&0'

async function runClient(
  program: ClientProgram,
  server: ScratchServer,
  args: readonly string[],
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { own, secret } = connectionOptions(program, server)
  // The client's own limit is 16 MB by default.
  const all = [...own, '--default-character-set=utf8mb4', '--max-allowed-packet=1G', ...args]
  const argv =
    secret === undefined
      ? [program.name, ...all]
      : ['sh', '-c', WITH_OPTIONS, program.name, '--defaults-file=/dev/fd/5', ...all]
  const [file = '', ...rest] = argv
  const child = execa(file, rest, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    reject: false,
    ...(signal && { cancelSignal: signal }),
  })
  const options = child.stdio[3] as unknown as Writable | Readable
  if ('end' in options) options.end(secret)
  // A client that gives up closes its end: what it says of it counts, not the broken pipe.
  const fed = await pipeline(input, child.stdin as Writable).then(
    () => undefined,
    (error: unknown) => error,
  )
  const ran = await child
  signal?.throwIfAborted()
  if (ran.failed) {
    const said = String(ran.stderr)
      .trim()
      .split('\n')
      .findLast((line) => !NOISE.test(line))
    const hint = hintOf(said ?? '')
    throw new SourceError(
      'command-failed',
      `${program.name} could not load it: ${said || (ran.originalMessage ?? '')}`,
      { hint },
    )
  }
  if (fed instanceof Error) throw fed
  return String(ran.stdout).trim()
}

/** What to do about the two reasons for which a server refuses a dump that is good. */
function hintOf(said: string): string | undefined {
  if (/gone away|Lost connection|max_allowed_packet/i.test(said))
    return 'A row may be longer than the server takes: SET GLOBAL max_allowed_packet=1073741824 there, and load it again.'
  if (/\b(?:SUPER|SET USER|SET_USER_ID|SET_ANY_DEFINER)\b/.test(said))
    return 'Views, triggers, routines and events belong to other users: GRANT SET USER ON *.* (MySQL: SET_ANY_DEFINER) to the one who loads it, or load it as root.'
  return undefined
}
