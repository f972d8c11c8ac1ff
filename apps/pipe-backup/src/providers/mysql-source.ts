import { SourceError } from '@pipe-backup/source'
import type { ScratchServer, ServerOptions, SslOptions } from '@pipe-backup/source-mysql'
import { z } from 'zod'
import { ifSet } from '../config/if-set.ts'
import { strictObject } from '../config/strict-object.ts'
import { filePath, secret, text } from '../config/values.ts'
import { type Finding, failureOf } from '../doctor/finding.ts'
import { plural } from '../terminal/quantities.ts'
import type { OpenContext } from './sink-type.ts'
import { type SourceType, sourceType } from './source-type.ts'

/** What reaches a server: the one that is read, and the scratch server of drills. */
const serverShape = {
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

/** How a server is reached, as its schema has accepted it. */
type ServerConfig = z.output<z.ZodObject<typeof serverShape>>

export const mysql: SourceType = sourceType(
  'mysql',
  'MySQL or MariaDB databases, each dumped to NAME.sql without a password in any argument',
  {
    databases: z
      .union([z.literal('all'), z.array(text).min(1, 'must name at least one database')], {
        error: (issue) => (issue.input === undefined ? undefined : 'must be a list of names, or all'),
      })
      .describe("Names, or all: all but the server's own"),
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

/** How a server is reached, with its password read. */
async function serverOf(
  { user, password, socket, host, port, ssl }: ServerConfig,
  context: Pick<OpenContext, 'path' | 'secretLine'>,
): Promise<ServerOptions> {
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
): SslOptions {
  return {
    ca: ifSet(ca, path),
    cert: ifSet(cert, path),
    key: ifSet(key, path),
    verify,
  }
}
