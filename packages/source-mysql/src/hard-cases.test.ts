import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { SourceError, type SourceProblem } from '@pipe-backup/source'
import { type MariadbServer, startMariadb } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkMysql } from './check-mysql.ts'
import { loadDump } from './load-dump.ts'
import { type MysqlOptions, mysql } from './mysql-source.ts'

let server: MariadbServer
let other: MariadbServer

const TEXT_LIKE_A_STATEMENT =
  'ALTER DATABASE `DB` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;\nDELIMITER ;\n'

interface Case {
  readonly name: string
  /** DB is the database's name. */
  readonly sql: string
  /** What must be the same on both sides, besides the tables, and what SHOW CREATE says of all. */
  readonly queries?: readonly string[] | undefined
}

const CASES: readonly Case[] = [
  {
    name: 'routines, triggers and events older than the character set',
    sql: `ALTER DATABASE DB CHARACTER SET latin1;
      CREATE TABLE t (id INT PRIMARY KEY, v TEXT, b BLOB); INSERT INTO t VALUES (1, 'x', REPEAT('${TEXT_LIKE_A_STATEMENT}', 50));
      INSERT INTO t VALUES (2, REPEAT('\\n${TEXT_LIKE_A_STATEMENT}', 50), NULL), (3, 'it''s "\`', 'x');
      CREATE FUNCTION f() RETURNS VARCHAR(10) DETERMINISTIC RETURN 'é';
      CREATE TRIGGER DB.one BEFORE INSERT ON DB.t FOR EACH ROW SET NEW.v = 'DB.t';
      CREATE TRIGGER \`DB\`.\`two\`
        AFTER INSERT
        ON \`DB\` . \`t\` FOR EACH ROW DELETE FROM t WHERE id = 0;
      CREATE EVENT DB.e ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM t;
      DELIMITER //
      CREATE PROCEDURE p()
BEGIN
/* it's */
-- it's
SELECT '
ALTER DATABASE \`DB\` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
';
ALTER DATABASE \`DB\` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
END//
      SET sql_mode='NO_BACKSLASH_ESCAPES'//
      CREATE PROCEDURE q() SELECT '\\'//
      SET sql_mode=DEFAULT//
      DELIMITER ;
      CREATE VIEW w AS SELECT id, f() FROM t;
      ALTER DATABASE DB CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci`,
  },
  {
    name: 'a default from a sequence',
    sql: 'CREATE SEQUENCE s1; CREATE TABLE a_t (id INT DEFAULT NEXTVAL(s1) PRIMARY KEY COMMENT "nextval(`db`.`s1`)", v INT); INSERT INTO a_t (v) VALUES (1), (2); CREATE VIEW v AS SELECT NEXTVAL(s1)',
  },
  {
    name: 'history of versioned tables',
    sql: `CREATE TABLE prices (id INT PRIMARY KEY, p INT) WITH SYSTEM VERSIONING; INSERT INTO prices VALUES (1, 1), (2, 1);
      UPDATE prices SET p = 2; UPDATE prices SET p = 3; DELETE FROM prices WHERE id = 2;
      CREATE TABLE named (id INT PRIMARY KEY, p INT, rs TIMESTAMP(6) GENERATED ALWAYS AS ROW START, re TIMESTAMP(6) GENERATED ALWAYS AS ROW END,
        PERIOD FOR SYSTEM_TIME (rs, re)) WITH SYSTEM VERSIONING; INSERT INTO named (id, p) VALUES (1, 1); UPDATE named SET p = 2`,
    queries: [
      'SELECT *, row_start, row_end FROM prices FOR SYSTEM_TIME ALL ORDER BY row_start, id',
      'SELECT * FROM named FOR SYSTEM_TIME ALL ORDER BY rs',
    ],
  },
]

beforeAll(async () => {
  ;[server, other] = await Promise.all([
    startMariadb(),
    startMariadb([
      '--character-set-server=latin1',
      '--sql-mode=ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES',
      '--max-allowed-packet=16M',
    ]),
  ])
})
afterAll(async () => {
  await Promise.all([server?.stop(), other?.stop()])
})

interface Dumped {
  readonly dumps: ReadonlyMap<string, Buffer>
  readonly problems: readonly SourceProblem[]
}

/** As a backup takes it: an entry that is `unreadable` is left out, and named. */
async function dump(
  databases: MysqlOptions['databases'],
  options: Partial<MysqlOptions> = {},
): Promise<Dumped> {
  const dumps = new Map<string, Buffer>()
  const problems: SourceProblem[] = []
  const onProblem = (problem: SourceProblem) => problems.push(problem)
  for await (const entry of mysql(
    { databases, user: 'root', socket: server.socket, ...options },
    { onProblem },
  )) {
    if (entry.type !== 'file') throw new Error('not a file')
    const path = Buffer.from(entry.path).toString()
    try {
      const reader = await entry.open()
      const pieces: Buffer[] = []
      for (let size = 1; ; size = (size * 7) % 65_521) {
        const piece = Buffer.alloc(size)
        const got = await reader.read(piece)
        if (got === 0) break
        pieces.push(piece.subarray(0, got))
      }
      await reader.finish()
      dumps.set(path, Buffer.concat(pieces))
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'unreadable') throw error
      problems.push({ code: error.code, path, message: error.message })
    }
  }
  return { dumps, problems }
}

/** CHECKSUM TABLE and SHOW CREATE of all that a database holds. */
function described(where: MariadbServer, database: string, queries: readonly string[]): string {
  const names = (sql: string) => where.query(sql, database).trim().split('\n').slice(1)
  const of = (table: string, column: string, schema: string) =>
    names(`SELECT ${column} FROM information_schema.${table} WHERE ${schema} = '${database}' ORDER BY 1`)
  const tables = of('tables', 'table_name', 'table_schema')
  const statements = [
    'SHOW CREATE DATABASE IF NOT EXISTS DB',
    ...tables.flatMap((name) => [`SHOW CREATE TABLE ${name}`, `CHECKSUM TABLE ${name} EXTENDED`]),
    ...of('triggers', 'trigger_name', 'trigger_schema').map((name) => `SHOW CREATE TRIGGER ${name}`),
    ...of('events', 'event_name', 'event_schema').map((name) => `SHOW CREATE EVENT ${name}`),
    ...of('routines', "CONCAT(routine_type, ' ', routine_name)", 'routine_schema').map(
      (name) => `SHOW CREATE ${name}`,
    ),
    ...queries,
  ]
  return statements
    .map((sql) => where.query(`SET sql_mode=''; ${sql.replace('DB', database)}`, database))
    .join('')
    .replaceAll(/^(CREATE DATABASE.*|Created)$/gm, '')
    .replaceAll(/\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d\d(?=\n)/g, '')
}

test.for(CASES)('$name: dumped, loaded under another name, the same', async ({ name, sql, queries = [] }) => {
  const from = `db_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
  server.query(`CREATE DATABASE ${from}`)
  server.query(sql.replaceAll('DB', from), from)
  const { dumps, problems } = await dump([from])
  const dumped = dumps.get(`${from}.sql`) ?? Buffer.alloc(0)
  expect(problems).toEqual([])
  // A database of this name is there, too: it must stay as it is.
  const untouched = `CREATE DATABASE ${from} CHARACTER SET ascii`
  other.query(`${untouched}; CREATE DATABASE loaded_${from}`)
  other.query(dumped, `loaded_${from}`)
  const hide = (text: string) =>
    text
      .replaceAll(`loaded_${from}`, 'DB')
      .replaceAll(from, 'DB')
      .replaceAll(/(TRIGGER \S*?)`?DB`?\s*\.\s*/g, '$1')
      .replaceAll(/(\bON )`?DB`?\s*\.\s*/g, '$1')
  expect(hide(described(other, `loaded_${from}`, queries))).toBe(hide(described(server, from, queries)))
  expect(other.query(`SHOW CREATE DATABASE ${from}`)).toContain('ascii')
  expect(
    other.query(`SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '${from}'`),
  ).toContain('0')
  other.query(`DROP DATABASE ${from}; DROP DATABASE loaded_${from}`)
  server.query(`DROP DATABASE ${from}`)
})

test('one broken view, one crashed table and lost+found leave the others to be dumped', async () => {
  const data = server.query('SELECT @@datadir').trim().split('\n')[1] ?? ''
  for (const name of ['crashed', 'fine', 'torn', 'zlast'])
    server.query(
      `CREATE DATABASE ${name}; CREATE TABLE ${name}.t (id INT) ENGINE=MyISAM; INSERT INTO ${name}.t VALUES (1)`,
    )
  server.query('CREATE TABLE gone (id INT); CREATE VIEW v AS SELECT id FROM gone; DROP TABLE gone', 'torn')
  server.query('FLUSH TABLES')
  truncateSync(join(data, 'crashed/t.MYI'), 100)
  mkdirSync(join(data, 'lost+found'))
  chmodSync(join(data, 'lost+found'), 0o700)
  const { dumps, problems } = await dump('all')
  expect([...dumps.keys()]).toEqual(['fine.sql', 'zlast.sql'])
  expect(problems.map(({ code, path }) => `${code} ${path}`)).toEqual([
    'skipped #mysql50#lost+found.sql',
    'unreadable crashed.sql',
    'unreadable torn.sql',
  ])
  expect(problems.find(({ path }) => path === 'torn.sql')?.message).toMatch(/exited with 2: [^|]*torn\.v/)
  const found = await checkMysql({ databases: 'all', user: 'root', socket: server.socket })
  expect([found.databases, found.leftOut, found.problems.length]).toEqual([
    ['fine', 'zlast'],
    ['#mysql50#lost+found'],
    2,
  ])
  await expect(dump(['crashed', 'torn'])).rejects.toMatchObject({
    code: 'command-failed',
    message: expect.stringContaining('none of the 2 databases could be dumped'),
  })
})

test.for([
  ['SELECT, SHOW VIEW, TRIGGER, EVENT ON *.*', '', ''],
  ['SELECT, SHOW VIEW, TRIGGER, EVENT ON rights.*', 'SELECT ON mysql.proc', ''],
  ['SELECT, SHOW VIEW, TRIGGER, EVENT ON rights.*', '', 'routines of rights'],
  ['SELECT, SHOW VIEW, EVENT ON rights.*', 'SELECT ON mysql.proc', 'triggers of rights'],
  ['SELECT, SHOW VIEW, TRIGGER ON rights.*', 'SELECT ON mysql.proc', 'events of rights'],
  ['SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON rights.*', '', 'routines of rights'],
])(
  'with GRANT %s %s, what is left out is named: %s',
  async ([first = '', second = '', missing = ''], { task }) => {
    const user = `u${createHash('sha256').update(task.id).digest('hex').slice(0, 8)}`
    server.query(
      `CREATE DATABASE IF NOT EXISTS rights; CREATE USER ${user}@localhost; GRANT ${first} TO ${user}@localhost; ${second && `GRANT ${second} TO ${user}@localhost`}`,
    )
    server.query(
      'CREATE OR REPLACE PROCEDURE hidden() SELECT 1; CREATE TABLE IF NOT EXISTS t (id INT)',
      'rights',
    )
    const { dumps, problems } = await dump(['rights'], { user })
    const sql = dumps.get('rights.sql')?.toString() ?? ''
    expect(sql).toContain('-- Dump completed')
    expect(sql.includes('PROCEDURE `hidden`')).toBe(!missing.includes('routines'))
    const messages = problems.map(({ message }) => message)
    if (missing === '') expect(messages).toEqual([])
    else
      expect(messages[0]).toContain(
        `'${user}'@'localhost' may not see all ${missing}: they are left out (GRANT `,
      )
    if (first.includes('EXECUTE')) expect(messages[1]).toMatch(/left out.*hidden/)
  },
)

test('a long blob and a foreign definer are named before, and a hint is given after', async () => {
  server.query('CREATE DATABASE heavy; SET GLOBAL max_allowed_packet=16777216')
  server.query(
    'CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB); INSERT INTO t VALUES (1, REPEAT("x", 12000000)); CREATE DEFINER=somebody@localhost VIEW v AS SELECT 1',
    'heavy',
  )
  const found = await checkMysql({ databases: ['heavy'], user: 'root', socket: server.socket })
  server.query('SET GLOBAL max_allowed_packet=1073741824')
  expect(found.largeRows).toEqual([
    'a row of heavy.t takes 23 MiB in the dump, and max_allowed_packet is 16 MiB',
  ])
  expect(found.definers).toEqual(["'somebody'@'localhost'"])
  const sql = (await dump(['heavy'])).dumps.get('heavy.sql') ?? Buffer.alloc(0)
  const load = (user: string, ...pieces: Buffer[]) =>
    loadDump(
      { user, socket: other.socket },
      (async function* () {
        yield* pieces
      })(),
    )
  await expect(load('root', sql)).rejects.toMatchObject({
    hint: expect.stringContaining('SET GLOBAL max_allowed_packet'),
  })
  other.query(
    'SET GLOBAL max_allowed_packet=1073741824; CREATE USER weak@localhost; GRANT ALL ON `pipe\\_backup\\_drill\\_%`.* TO weak@localhost',
  )
  expect(await load('root', sql)).toBe(2)
  await expect(load('weak', sql)).rejects.toMatchObject({ hint: expect.stringContaining('GRANT SET USER') })
})

test('versions by transaction can not be dumped: the rows are, and the table is named', async () => {
  server.query('CREATE DATABASE precise')
  server.query(
    `CREATE TABLE p (id INT PRIMARY KEY, v INT, rs BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, re BIGINT UNSIGNED GENERATED ALWAYS AS ROW END,
      PERIOD FOR SYSTEM_TIME (rs, re)) WITH SYSTEM VERSIONING ENGINE=InnoDB; INSERT INTO p (id, v) VALUES (1, 1); UPDATE p SET v = 2`,
    'precise',
  )
  const { dumps, problems } = await dump(['precise'])
  expect(problems).toMatchObject([
    { path: 'precise.sql', message: expect.stringContaining('history of p is not') },
  ])
  other.query('CREATE DATABASE precise')
  other.query(dumps.get('precise.sql') ?? '', 'precise')
  expect(other.query('SELECT id, v FROM p FOR SYSTEM_TIME ALL', 'precise').trim().split('\n')).toEqual([
    'id\tv',
    '1\t2',
  ])
})
