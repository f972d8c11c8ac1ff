import { readToEnd, SourceError } from '@pipe-backup/source'
import { chooseDatabases, dumps, GLOBALS_PATH, hiddenIn, type PostgresOptions } from './postgres-source.ts'
import { rolesIn, surveyServer } from './survey.ts'

/** What a check has found. */
export interface PostgresFindings {
  /** How many databases can be dumped. */
  readonly databases: number
  /** What can't be dumped, and why. */
  readonly problems: readonly string[]
  /** What would be missing in the dumps, as the user may not see it. */
  readonly hidden: readonly string[]
  /** Whether `@globals.sql` would have roles without passwords: the user may not see them. */
  readonly lacksPasswords: boolean
  readonly user: string
  /** Databases that nobody can connect to. */
  readonly closed: readonly string[]
  /** Databases with settings of their own, which are in no dump. */
  readonly withSettings: readonly string[]
  /** Who owns what is in the databases, or may use it: a server that loads the dumps must have these roles. */
  readonly roles: readonly string[]
}

/**
 * Tries what a dump needs: the programs, the login, each database with all that is in it, but no rows.
 * @throws SourceError as a dump would, when nothing can be dumped
 */
export async function checkPostgres(
  options: PostgresOptions,
  signal?: AbortSignal,
): Promise<PostgresFindings> {
  const problems: string[] = []
  let good = 0
  let hasGlobals = false
  // Every table is locked for reading, which needs the right to read it.
  const entries = dumps(options, { onProblem: () => undefined, signal }, undefined, ['--schema-only'])
  for await (const entry of entries) {
    const path = Buffer.from(entry.path).toString()
    hasGlobals ||= path === GLOBALS_PATH
    try {
      await readToEnd(entry)
      if (path !== GLOBALS_PATH) good++
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'unreadable') throw error
      problems.push(`${path}: ${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}`)
    }
  }
  const server = await surveyServer(options, options.databases === 'all' ? [] : options.databases, signal)
  const { names, closed } = chooseDatabases(options, server)
  return {
    databases: good,
    problems,
    hidden: names.flatMap((name) => {
      const message = hiddenIn(name, server)
      return message === undefined ? [] : [`${name}: ${message}`]
    }),
    lacksPasswords: hasGlobals && !server.seesPasswords,
    user: server.user,
    closed,
    withSettings: names.filter((name) => (server.databases.get(name)?.settings ?? 0) > 0),
    roles: [...(await rolesIn(options, server, names, signal))],
  }
}
