import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { strictObject } from '../config/strict-object.ts'
import { filePath, secret, text } from '../config/values.ts'
import type { OpenContext } from './sink-type.ts'

/** What reaches a server of databases: the one that is read, and the scratch server of drills. */
export const serverShape = {
  user: text.optional(),
  password: secret.optional(),
  socket: filePath.optional().describe("Path of the server's socket"),
  host: text.optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  ssl: strictObject({
    ca: filePath.optional().describe("Certificates that sign the server's, PEM"),
    cert: filePath.optional().describe('The certificate that the server wants of its user, PEM; with key'),
    key: filePath.optional(),
    verify: z
      .boolean()
      .optional()
      .describe("Whether the server's certificate and name are checked. Default true with a ca"),
  })
    .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key go together')
    .optional()
    .describe('Encrypts the connection'),
}

/** Which of a server's databases are read. */
export const databaseNames = z.union(
  [z.literal('all'), z.array(text).min(1, 'must name at least one database')],
  'must be a list of names, or all',
)

/** How a server is reached, as its schema has accepted it. */
type ServerConfig = z.output<z.ZodObject<typeof serverShape>>

/** The same with paths that are absolute, and its password read. */
interface OpenServer extends Omit<ServerConfig, 'password'> {
  readonly password: string | undefined
}

/** How a server is reached, with its password read. */
export async function serverOf(
  { user, password, socket, host, port, ssl }: ServerConfig,
  context: Pick<OpenContext, 'path' | 'secretLine'>,
): Promise<OpenServer> {
  return {
    user,
    password: await ifSet(password, context.secretLine),
    socket: ifSet(socket, context.path),
    host,
    port,
    ssl: ifSet(ssl, (given) => sslOf(given, context)),
  }
}

function sslOf(
  { ca, cert, key, verify }: NonNullable<ServerConfig['ssl']>,
  { path }: Pick<OpenContext, 'path'>,
): NonNullable<ServerConfig['ssl']> {
  return {
    ca: ifSet(ca, path),
    cert: ifSet(cert, path),
    key: ifSet(key, path),
    verify,
  }
}
