import { dumps, type MysqlOptions, queryRows } from './mysql-source.ts'

/** What a check has found. */
export interface MysqlFindings {
  /** Who the server says that the user is: 'backup'@'%'. */
  readonly user: string
  readonly databases: readonly string[]
  /** Privileges without which a dump leaves things out and says nothing. One that comes by a role is not seen. */
  readonly missing: readonly { readonly database: string; readonly privileges: readonly string[] }[]
}

/** Without TRIGGER there are no triggers to be seen, and so none in the dump; the others make it fail. */
const WANTED = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'] as const
const PIECE_BYTES = 64 * 1024

/**
 * Tries what a dump needs: the programs, the login, each database with all that is in it, but no rows.
 * @throws SourceError as a dump would
 */
export async function checkMysql(options: MysqlOptions, signal?: AbortSignal): Promise<MysqlFindings> {
  const databases: string[] = []
  // Every table is selected from, and gives nothing.
  for await (const entry of dumps(options, { ...(signal && { signal }) }, ['--where=0'])) {
    if (entry.type !== 'file') continue
    const reader = await entry.open()
    try {
      const piece = Buffer.alloc(PIECE_BYTES)
      while ((await reader.read(piece)) > 0);
      await reader.finish()
    } finally {
      await reader.close()
    }
    databases.push(
      Buffer.from(entry.path)
        .toString()
        .replace(/\.sql$/, ''),
    )
  }
  const grantee = `CONCAT("'", SUBSTRING_INDEX(CURRENT_USER(), '@', 1), "'@'", SUBSTRING_INDEX(CURRENT_USER(), '@', -1), "'")`
  const rows = await queryRows(
    options,
    `SELECT ${grantee}, '', '' UNION ALL
     SELECT '', '%', privilege_type FROM information_schema.user_privileges WHERE grantee = ${grantee} UNION ALL
     SELECT '', table_schema, privilege_type FROM information_schema.schema_privileges WHERE grantee = ${grantee}`,
    signal,
  )
  const cells = rows.map((row) => row.split('\t'))
  const user = cells.find(([name]) => name !== '')?.[0] ?? ''
  const granted = (database: string): Set<string> =>
    new Set(
      cells
        .filter(([, pattern = '']) => pattern !== '' && fits(database, pattern))
        .map(([, , privilege = '']) => privilege),
    )
  const missing = databases.flatMap((database) => {
    const has = granted(database)
    const privileges = WANTED.filter((privilege) => !has.has(privilege))
    return privileges.length === 0 ? [] : [{ database, privileges }]
  })
  return { user, databases, missing }
}

/** As in a GRANT: `%` is anything, `_` any letter, a backslash takes the meaning away. */
function fits(database: string, pattern: string): boolean {
  const source = pattern.replaceAll(/\\([%_])|([%_])|[^\w\s]/g, (found, plain?: string, wild?: string) => {
    if (plain !== undefined) return plain
    if (wild !== undefined) return wild === '%' ? '.*' : '.'
    return `\\${found}`
  })
  return new RegExp(`^${source}$`, 's').test(database)
}
