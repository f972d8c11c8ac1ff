import { randomBytes } from 'node:crypto'
import { SourceError } from '@pipe-backup/source'
import { feed, SECRET_FILE } from '@pipe-backup/source-command'
import {
  type ClientProgram,
  connectionOptions,
  findProgram,
  NOISE,
  ROWS_ALONE,
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
    return Number(await run(['--batch', '--skip-column-names', ...ROWS_ALONE], statement(count)))
  } finally {
    // Also when the drill was stopped: it is to leave nothing behind.
    await runClient(program, server, [], statement(`DROP DATABASE ${database}`), undefined)
  }
}

async function* statement(sql: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${sql};\n`)
}

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
  const withFile = secret === undefined ? [] : [`--defaults-file=${SECRET_FILE}`]
  try {
    return await feed([program.name, ...withFile, ...all], { input, secret, ignoreComplaint: NOISE, signal })
  } catch (error) {
    const hint = error instanceof SourceError ? hintOf(error.message) : undefined
    if (!(error instanceof SourceError) || hint === undefined) throw error
    throw new SourceError(error.code, error.message, { cause: error, hint })
  }
}

/** What to do about the two reasons for which a server refuses a dump that is good. */
function hintOf(said: string): string | undefined {
  if (/gone away|Lost connection|max_allowed_packet/i.test(said))
    return 'A row may be longer than the server takes: SET GLOBAL max_allowed_packet=1073741824 there, and load it again.'
  if (/\b(?:SUPER|SET USER|SET_USER_ID|SET_ANY_DEFINER)\b/.test(said))
    return 'Views, triggers, routines and events belong to other users: GRANT SET USER ON *.* (MySQL: SET_ANY_DEFINER) to the one who loads it, or load it as root.'
  return undefined
}
