import { z } from 'zod'
import { filePath, secret, text } from '../config/values.ts'
import { type SourceType, sourceType } from './source-type.ts'

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
    port: z.number().int().min(1).max(65_535).optional(),
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
