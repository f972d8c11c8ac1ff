import type { ScratchServer } from '@pipe-backup/source-postgres'
import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import type { Finding } from '../doctor/finding.ts'
import { plural } from '../terminal/quantities.ts'
import { databaseNames, serverOf, serverShape } from './database-server.ts'
import { type SourceType, sourceType } from './source-type.ts'

export const postgres: SourceType = sourceType(
  'postgres',
  'PostgreSQL databases, each dumped to NAME.sql, and their roles to @globals.sql, without a password in any argument',
  {
    databases: databaseNames.describe('Names, or all: all but templates'),
    globals: z
      .boolean()
      .optional()
      .describe('Whether roles and tablespaces are dumped too, to @globals.sql. Default true with all'),
    ...serverShape,
    drill: strictObject(serverShape)
      .optional()
      .describe(
        'A scratch server: `verify --drill` loads the dumps into databases that it makes there, and drops again',
      ),
  },
  async ({ databases, globals, ...server }, context) => {
    const { postgresSource } = await import('@pipe-backup/source-postgres')
    return postgresSource({ name: context.name, databases, globals, ...(await serverOf(server, context)) })
  },
  async ({ databases, globals, drill, ...server }, context) => {
    const { checkPostgres } = await import('@pipe-backup/source-postgres')
    const options = { databases, globals, ...(await serverOf(server, context)) }
    const found = await checkPostgres(options, context.signal)
    const warning = (message: string, hint?: string): Finding => ({ state: 'warning', message, hint })
    const findings: Finding[] = [
      { state: 'ok', message: `${plural(found.databases, 'database')} can be dumped` },
      ...found.problems.map((message): Finding => ({ state: 'failure', message })),
      ...found.hidden.map((message) => warning(message)),
      ...found.closed.map((name) => warning(`${name} is left out: it takes no connections`)),
      ...found.withSettings.map((name) =>
        warning(
          `${name} has settings of its own (ALTER DATABASE … SET), which are in no dump`,
          'Keep them with the configuration of the server: SELECT * FROM pg_db_role_setting.',
        ),
      ),
    ]
    if (found.lacksPasswords)
      findings.push(
        warning(
          `${found.user} may not see the passwords of roles: @globals.sql is without them`,
          `GRANT SELECT ON pg_authid TO ${found.user}, or GRANT pg_read_all_data.`,
        ),
      )
    if (drill === undefined) return findings
    const scratch = await serverOf(drill, context)
    return [...findings, ...(await checkDrill(scratch, found.roles, context.signal))]
  },
  ({ drill }, context) =>
    drill && {
      // Roles belong to the whole of a server: they are not tried on one that is to stay as it is.
      takes: (path) => path.endsWith('.sql') && !path.endsWith('/@globals.sql'),
      run: async (pieces) => {
        const { loadDump } = await import('@pipe-backup/source-postgres')
        await loadDump(await serverOf(drill, context), pieces, context.signal)
      },
    },
)

async function checkDrill(
  server: ScratchServer,
  needed: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly Finding[]> {
  const { loadDump, rolesOf } = await import('@pipe-backup/source-postgres')
  await loadDump(server, nothing(), signal)
  const ok: Finding = { state: 'ok', message: 'the scratch server for drills takes a database' }
  const there = await rolesOf(server, signal)
  const missing = needed.filter((role) => !there.has(role))
  if (missing.length === 0) return [ok]
  return [
    ok,
    {
      state: 'warning',
      message: `the scratch server for drills lacks roles that own things: ${missing.join(', ')}`,
      hint: 'Load @globals.sql there, or CREATE ROLE.',
    },
  ]
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('SELECT 1;\n')
}
