import { randomBytes } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SourceError } from '@pipe-backup/source'
import { execa } from 'execa'
import { findProgram, type MysqlOptions, serverArgs } from './mysql-source.ts'
import { optionFile } from './option-file.ts'

/** A server for drills: whatever is on it, only databases that a drill has made are touched. */
export type ScratchServer = Omit<MysqlOptions, 'databases'>

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
  program: string,
  server: ScratchServer,
  args: readonly string[],
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { user, password } = server
  const all = [...serverArgs(server), '--default-character-set=utf8mb4', ...args]
  const argv =
    password === undefined
      ? [program, ...(user === undefined ? [] : [`--user=${user}`]), ...all]
      : ['sh', '-c', WITH_OPTIONS, program, '--defaults-file=/dev/fd/5', ...all]
  const [file = '', ...rest] = argv
  const child = execa(file, rest, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    reject: false,
    ...(signal && { cancelSignal: signal }),
  })
  const options = child.stdio[3] as unknown as Writable | Readable
  if ('end' in options)
    options.end(
      password === undefined ? undefined : optionFile({ password, ...(user !== undefined && { user }) }),
    )
  // A client that gives up closes its end: what it says of it counts, not the broken pipe.
  const fed = await pipeline(input, child.stdin as Writable).then(
    () => undefined,
    (error: unknown) => error,
  )
  const ran = await child
  signal?.throwIfAborted()
  if (ran.failed) {
    const said = String(ran.stderr).trim().split('\n').at(-1)
    throw new SourceError(
      'command-failed',
      `${program} could not load it: ${said || (ran.originalMessage ?? '')}`,
    )
  }
  if (fed instanceof Error) throw fed
  return String(ran.stdout).trim()
}
