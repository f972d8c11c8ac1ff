import { z } from 'zod'
import { strictObject } from '../config/strict-object.ts'
import { filePath, type SecretConfig, secret, text } from '../config/values.ts'
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
  async ({ databases, user, password, socket, host, port }, context) => {
    const { mysqlSource } = await import('@pipe-backup/source-mysql')
    return mysqlSource({
      name: context.name,
      databases,
      ...(user !== undefined && { user }),
      ...(password !== undefined && { password: await context.secret(password) }),
      ...(socket !== undefined && { socket: context.path(socket) }),
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
    })
  },
)
