import type { MysqlOptions } from '@pipe-backup/source-mysql'
import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import { filePath, type SecretConfig, secret, text } from '../config/values.ts'
import type { Finding } from '../doctor/finding.ts'
import { plural } from '../terminal/quantities.ts'
import type { OpenContext } from './sink-type.ts'
import { type SourceType, sourceType } from './source-type.ts'

const port = z.number().int().min(1).max(65_535).optional()

/** How a source's dumps are proven, as its schema has accepted it. */
export interface DrillServerConfig {
  readonly user?: string | undefined
  readonly password?: SecretConfig | undefined
  readonly socket?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
}

export const mysql: SourceType = sourceType(
  'mysql',
  'MySQL or MariaDB databases, each dumped to NAME.sql without a password in any argument',
  {
    databases: z
      .union([z.literal('all'), z.array(text).min(1, 'must name at least one database')], {
        error: (issue) => (issue.input === undefined ? undefined : 'must be a list of names, or all'),
      })
      .describe("Names, or all: all but the server's own"),
    user: text.optional(),
    password: secret.optional(),
    socket: filePath.optional().describe("Path of the server's socket"),
    host: text.optional(),
    port,
    drill: strictObject({
      user: text.optional(),
      password: secret.optional(),
      socket: filePath.optional(),
      host: text.optional(),
      port,
    })
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
    const { checkMysql, loadDump } = await import('@pipe-backup/source-mysql')
    const found = await checkMysql({ databases, ...(await serverOf(server, context)) }, context.signal)
    const findings: Finding[] = [
      { state: 'ok', message: `${plural(found.databases.length, 'database')} can be dumped` },
      ...found.missing.map(
        ({ database, privileges }): Finding => ({
          state: 'warning',
          message: `${found.user} has no ${privileges.join(', ')} on ${database}, as far as is seen: what needs it is left out of the dump without a word`,
          hint: `GRANT ${privileges.join(', ')} ON ${database}.* TO ${found.user}`,
        }),
      ),
    ]
    if (drill === undefined) return findings
    const nothing = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('SELECT 1;\n')
    }
    await loadDump(await serverOf(drill, context), nothing(), context.signal)
    return [...findings, { state: 'ok', message: 'the scratch server for drills takes a database' }]
  },
)

/** How a server is reached, with its password read. */
export async function serverOf(
  { user, password, socket, host, port }: DrillServerConfig,
  context: Pick<OpenContext, 'path' | 'secret'>,
): Promise<Omit<MysqlOptions, 'databases'>> {
  return {
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password: await context.secret(password) }),
    ...(socket !== undefined && { socket: context.path(socket) }),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
  }
}
