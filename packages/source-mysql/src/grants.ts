import { isAtLeast } from './client-program.ts'

/** Whose server, and which. */
export interface ServerVersion {
  readonly isMariadb: boolean
  readonly version: readonly [number, number]
}

/** What a dump leaves out, or fails at, for want of privileges. */
export interface Lack {
  /** What is not seen: `triggers`, `routines`. */
  readonly what: readonly string[]
  /** Statements that give them, for one user. */
  readonly grants: (user: string) => readonly string[]
}

interface Grant {
  /** As in the GRANT, quotes taken off: `%`, and a backslash before what is to be itself. `*` is all of them. */
  readonly database: string
  readonly table: string
  readonly privileges: ReadonlySet<string>
  readonly isRevoked: boolean
}

const QUOTED = '(`(?:[^`]|``)*`|"(?:[^"]|"")*"|[^\\s.]+)'
const GRANT = new RegExp(`^(GRANT|REVOKE) (.+?) ON (?:TABLE )?${QUOTED}\\.${QUOTED} (?:TO|FROM) `, 's')
/** What is listed to a user with these alone, the rest being left out or refused. */
const WANTED: readonly (readonly [privilege: string, what: string])[] = [
  ['SELECT', 'tables'],
  ['SHOW VIEW', 'views'],
  ['TRIGGER', 'triggers'],
  ['EVENT', 'events'],
]

/** What a user may do, from the lines of SHOW GRANTS: its own and those of its active roles. */
export class Grants {
  readonly #grants: readonly Grant[]
  readonly #server: ServerVersion

  constructor(lines: readonly string[], server: ServerVersion) {
    this.#grants = lines.flatMap((line) => parse(line))
    this.#server = server
  }

  /** Whether one has a privilege on all there is in a database, or, of the name `*`, on everything. */
  has(privilege: string, database: string): boolean {
    const fitting = this.#grants.filter(
      (grant) =>
        grant.table === '*' &&
        includes(grant, privilege) &&
        (grant.database === '*' || (database !== '*' && fits(database, grant.database))),
    )
    return fitting.some(({ isRevoked }) => !isRevoked) && !fitting.some(({ isRevoked }) => isRevoked)
  }

  /** What the dump of a database will lack. `undefined` when it lacks nothing. */
  lackOf(database: string): Lack | undefined {
    const missing = WANTED.filter(([privilege]) => !this.has(privilege, database))
    const routines = this.#seesRoutines(database) ? undefined : this.#routineGrant(database)
    if (missing.length === 0 && routines === undefined) return undefined
    const names = missing.map(([privilege]) => privilege)
    return {
      what: [...missing.map(([, what]) => what), ...(routines ? ['routines'] : [])],
      grants: (user) => [
        ...(names.length === 0 ? [] : [`GRANT ${names.join(', ')} ON ${quotedName(database)}.* TO ${user}`]),
        ...(routines ? [`GRANT ${routines.privilege} ON ${routines.on} TO ${user}`] : []),
      ],
    }
  }

  /**
   * To a user without the right one, procedures and functions of others are not there, or without their bodies.
   * @see https://mariadb.com/kb/en/show-create-procedure/ https://dev.mysql.com/doc/refman/8.4/en/show-create-procedure.html
   */
  #seesRoutines(database: string): boolean {
    const { isMariadb, version } = this.#server
    if (!isMariadb && isAtLeast(version, 8, 0))
      return this.has('SELECT', '*') || this.has('SHOW_ROUTINE', '*')
    const isOfProc = this.#grants.some(
      (grant) => grant.database === 'mysql' && grant.table === 'proc' && includes(grant, 'SELECT'),
    )
    return isOfProc || this.has('SELECT', 'mysql') || this.has('SHOW CREATE ROUTINE', database)
  }

  #routineGrant(database: string): { readonly privilege: string; readonly on: string } {
    const { isMariadb, version } = this.#server
    if (!isMariadb && isAtLeast(version, 8, 0)) return { privilege: 'SHOW_ROUTINE', on: '*.*' }
    return isMariadb && isAtLeast(version, 11, 3)
      ? { privilege: 'SHOW CREATE ROUTINE', on: `${quotedName(database)}.*` }
      : { privilege: 'SELECT', on: 'mysql.proc' }
  }
}

function parse(line: string): Grant[] {
  const [, verb, list = '', database = '', table = ''] = GRANT.exec(line) ?? []
  if (verb === undefined) return []
  // SELECT (a, b) is of columns: no help for a dump.
  const privileges = list.replaceAll(/[A-Z ]+\([^)]*\)/g, '').split(',')
  return [
    {
      database: unquoted(database),
      table: unquoted(table),
      privileges: new Set(privileges.map((privilege) => privilege.trim())),
      isRevoked: verb === 'REVOKE',
    },
  ]
}

function includes({ privileges, isRevoked }: Grant, privilege: string): boolean {
  return privileges.has(privilege) || (!isRevoked && privileges.has('ALL PRIVILEGES'))
}

function unquoted(name: string): string {
  const [quote = ''] = name
  if (quote !== '`' && quote !== '"') return name
  return name.slice(1, -1).replaceAll(quote + quote, quote)
}

/** As a GRANT takes a database: `_` and `%` would be patterns. */
function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``').replaceAll(/[_%\\]/g, '\\$&')}\``
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
