import { SourceError } from '@pipe-backup/source'
import type { ScratchServer } from '@pipe-backup/source-mysql'
import { strictObject } from '../config/strict-object.ts'
import { type Finding, failureOf } from '../doctor/finding.ts'
import { plural } from '../terminal/quantities.ts'
import { databaseNames, serverOf, serverShape } from './database-server.ts'
import { type SourceType, sourceType } from './source-type.ts'

export const mysql: SourceType = sourceType(
  'mysql',
  'MySQL or MariaDB databases, each dumped to NAME.sql without a password in any argument',
  {
    databases: databaseNames.describe("Names, or all: all but the server's own"),
    ...serverShape,
    drill: strictObject(serverShape)
      .optional()
      .describe(
        'A scratch server: `verify --drill` loads the dumps into databases that it makes there, and drops again',
      ),
  },
  async ({ databases, ...server }, context) => {
    const { mysqlSource } = await import('@pipe-backup/source-mysql')
    return mysqlSource({ name: context.name, databases, ...(await serverOf(server, context)) })
  },
  async ({ databases, drill, ...server }, context) => {
    const { checkMysql } = await import('@pipe-backup/source-mysql')
    const found = await checkMysql({ databases, ...(await serverOf(server, context)) }, context.signal)
    const warning = (message: string, hint?: string): Finding => ({
      state: 'warning',
      message,
      hint,
    })
    const findings: Finding[] = [
      { state: 'ok', message: `${plural(found.databases.length, 'database')} can be dumped` },
      ...found.problems.map((message): Finding => ({ state: 'failure', message })),
      ...found.hidden.map(({ message, grants }) => warning(message, `${grants.join('; ')}.`)),
      ...found.leftOut.map((name) =>
        warning(
          `${name} is left out: it is a directory among the databases, or a database of MySQL 5.0 that was never converted`,
          "`ignore_db_dirs` in the server's configuration hides a directory.",
        ),
      ),
      ...found.largeRows.map((message) =>
        warning(
          `${message}: a server with this limit can't load it again`,
          'SET GLOBAL max_allowed_packet=1073741824 on the server that is to load it, before it does.',
        ),
      ),
    ]
    if (drill === undefined) return findings
    return [
      ...findings,
      ...(await checkDrill(await serverOf(drill, context), found.definers, context.signal)),
    ]
  },
  ({ drill }, context) =>
    drill && {
      takes: (path) => path.endsWith('.sql'),
      run: async (pieces) => {
        const { loadDump } = await import('@pipe-backup/source-mysql')
        await loadDump(await serverOf(drill, context), pieces, context.signal)
      },
    },
)

/** How many definers are tried: whoever may make things in the name of one may in that of all. */
const MAX_DEFINERS = 10

async function checkDrill(
  server: ScratchServer,
  definers: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly Finding[]> {
  const { loadDump } = await import('@pipe-backup/source-mysql')
  await loadDump(server, statements(['SELECT 1']), signal)
  const ok: Finding = { state: 'ok', message: 'the scratch server for drills takes a database' }
  try {
    const views = definers
      .slice(0, MAX_DEFINERS)
      .map((definer, index) => `CREATE DEFINER=${definer} VIEW v${index} AS SELECT 1`)
    if (views.length > 0) await loadDump(server, statements(views), signal)
    return [ok]
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof SourceError)) throw error
    return [ok, { ...failureOf(error), state: 'warning' }]
  }
}

async function* statements(sql: readonly string[]): AsyncGenerator<Uint8Array> {
  yield Buffer.from(sql.map((one) => `${one};\n`).join(''))
}
