import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readToEnd, SourceError, type SourceProblem } from '@pipe-backup/source'
import { type MariadbServer, startMariadb } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkMysql } from './check-mysql.ts'
import { type MysqlOptions, mysql } from './mysql-source.ts'
import { optionFile } from './option-file.ts'

const PASSWORD = `p#ss "w'rd\\ é ;=[x]`
let server: MariadbServer
let other: MariadbServer

beforeAll(async () => {
  ;[server, other] = await Promise.all([startMariadb(), startMariadb()])
  server.query(`CREATE DATABASE bot; CREATE DATABASE \`a-b\`; CREATE DATABASE big; SET NAMES utf8mb4;
    CREATE USER backup@'%' IDENTIFIED BY '${PASSWORD.replaceAll('\\', '\\\\').replaceAll("'", "''")}';
    GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, PROCESS ON *.* TO backup@'%'; GRANT SELECT ON mysql.* TO backup@'%'`)
  server.query(readFileSync(join(import.meta.dirname, 'every-type.sql')), 'bot')
  server.query(
    'CREATE TABLE t (a INT PRIMARY KEY, b LONGBLOB); INSERT INTO t SELECT seq, REPEAT(CHAR(seq % 256), 200000) FROM seq_1_to_300',
    'big',
  )
})
afterAll(async () => {
  await Promise.all([server?.stop(), other?.stop()])
})

type Dumps = Map<string, Buffer>

async function dump(options: Partial<MysqlOptions>, during?: (read: number) => void): Promise<Dumps> {
  const found: Dumps = new Map()
  for await (const entry of mysql({
    databases: ['bot'],
    user: 'backup',
    password: PASSWORD,
    socket: server.socket,
    ...options,
  })) {
    if (entry.type !== 'file') throw new Error('not a file')
    const reader = await entry.open()
    const pieces: Buffer[] = []
    try {
      for (let total = 0; ; ) {
        const piece = Buffer.alloc(65_536)
        const got = await reader.read(piece)
        if (got === 0) break
        pieces.push(piece.subarray(0, got))
        total += got
        during?.(total)
      }
      await reader.finish()
    } finally {
      await reader.close()
    }
    found.set(Buffer.from(entry.path).toString(), Buffer.concat(pieces))
  }
  return found
}

const CHECKS = [
  "SELECT table_name, engine, table_collation, table_type FROM information_schema.tables WHERE table_schema = 'DB' ORDER BY table_name",
  "SELECT table_name, column_name, column_type, is_nullable, column_default, extra, generation_expression, collation_name FROM information_schema.columns WHERE table_schema = 'DB' ORDER BY table_name, ordinal_position",
  "SELECT routine_name, routine_type, routine_definition, definer FROM information_schema.routines WHERE routine_schema = 'DB' ORDER BY routine_name",
  "SELECT trigger_name, event_manipulation, action_statement FROM information_schema.triggers WHERE trigger_schema = 'DB'",
  "SELECT event_name, event_definition, interval_value, starts FROM information_schema.events WHERE event_schema = 'DB'",
  "SELECT constraint_name, table_name, referenced_table_name, delete_rule FROM information_schema.referential_constraints WHERE constraint_schema = 'DB'",
  "SELECT table_name, REPLACE(view_definition, 'DB', '') FROM information_schema.views WHERE table_schema = 'DB' ORDER BY table_name",
]

test('a dump of every type of column, restored into an empty server, makes an equal database', async () => {
  const sql = (await dump({})).get('bot.sql')
  if (!sql) throw new Error('no dump')
  other.query('CREATE DATABASE restored')
  other.query(sql, 'restored')
  for (const check of CHECKS) {
    expect(other.query(check.replaceAll('DB', 'restored')).replaceAll('restored', 'bot')).toBe(
      server.query(check.replaceAll('DB', 'bot')),
    )
  }
  const tables = server
    .query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'bot' AND table_type = 'BASE TABLE' ORDER BY 1",
    )
    .trim()
    .split('\n')
    .slice(1)
  expect(tables.length).toBeGreaterThan(8)
  for (const table of tables) {
    const sum = (where: MariadbServer, database: string) =>
      where.query(`CHECKSUM TABLE \`${table}\` EXTENDED`, database).split('\t').at(-1)
    expect([table, sum(other, 'restored')]).toEqual([table, sum(server, 'bot')])
  }
  expect(
    other.query(
      'CALL doubled(4, @y); SELECT @y, tripled(5); INSERT INTO parent VALUES (2); SELECT what FROM log',
      'restored',
    ),
  ).toContain('new "2"; ')
})

test('two dumps of an unchanged database are the same bytes, by socket and by TCP', async () => {
  const first = (await dump({})).get('bot.sql')
  const { socket: _, ...tcp } = { socket: '', host: '127.0.0.1', port: server.port }
  const rows = mysql({ databases: ['bot'], user: 'backup', password: PASSWORD, ...tcp })
  let second = Buffer.alloc(0)
  for await (const entry of rows) {
    if (entry.type !== 'file') continue
    const reader = await entry.open()
    const piece = Buffer.alloc(10_000_000)
    for (let got = await reader.read(piece); got > 0; got = await reader.read(piece))
      second = Buffer.concat([second, piece.subarray(0, got)])
    await reader.finish()
  }
  const withoutHost = (bytes: Buffer | undefined) => bytes?.toString('latin1').replace(/^-- Host: .*$/m, '')
  expect(withoutHost(second)).toBe(withoutHost(first))
  expect((await dump({})).get('bot.sql')?.equals(first ?? Buffer.alloc(0))).toBe(true)
})

test('all databases are those that are not the server’s own, in order', async () => {
  expect([...(await dump({ databases: 'all' })).keys()]).toEqual(['a-b.sql', 'big.sql', 'bot.sql'])
})

test('a wrong password is one line that does not hold it', async () => {
  const failure = await dump({ password: 'wr0ng-secret' }).then(
    () => new Error('it worked'),
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({ code: 'command-failed', message: expect.stringContaining('Access denied') })
  expect(String(failure)).not.toMatch(/wr0ng-secret|\n/)
})

test('a database that is not there fails', async () => {
  await expect(dump({ databases: ['nothing'] })).rejects.toMatchObject({
    code: 'command-failed',
    message: expect.stringContaining('nothing'),
  })
})

function processes(): { pid: number; commandLine: string; environment: string }[] {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => ({
    pid: Number(pid),
    commandLine: read(`/proc/${pid}/cmdline`),
    environment: read(`/proc/${pid}/environ`),
  }))
}

test('the password is in no argument and no environment while a dump runs', async () => {
  let looked = 0
  await dump({ databases: ['big'] }, () => {
    if (looked > 3) return
    const all = processes()
    if (all.some(({ commandLine }) => commandLine.includes('mariadb-dump'))) looked++
    const own = all.filter(({ pid }) => pid !== process.pid)
    expect(
      own.filter(
        ({ commandLine, environment }) => commandLine.includes(PASSWORD) || environment.includes(PASSWORD),
      ),
    ).toEqual([])
  })
  expect(looked).toBeGreaterThan(0)
})

test('a dump program that is killed in the middle is a failed source', async () => {
  let killed = false
  const dumping = dump({ databases: ['big'] }, () => {
    if (killed) return
    const victim = processes().find(({ commandLine }) => commandLine.startsWith('mariadb-dump'))
    if (victim) killed = process.kill(victim.pid, 'SIGKILL')
  })
  await expect(dumping).rejects.toMatchObject({ code: 'command-failed' })
  expect(killed).toBe(true)
})

test('a server that dies in the middle is a failed source', async () => {
  await using dying = await startMariadb()
  dying.query(
    'CREATE DATABASE big; USE big; CREATE TABLE t (a INT PRIMARY KEY, b LONGBLOB); INSERT INTO t SELECT seq, REPEAT(CHAR(seq % 256), 200000) FROM seq_1_to_300',
  )
  let killed = false
  const dumping = dump({ databases: ['big'], socket: dying.socket, user: 'root', password: '' }, () => {
    if (!killed) killed = process.kill(dying.pid, 'SIGKILL')
  })
  await expect(dumping).rejects.toMatchObject({ code: 'command-failed' })
})

test('an option file holds what it is given, and refuses a line end', () => {
  expect(
    optionFile([
      ['user', 'u'],
      ['password', 'a"b\\c'],
    ]).toString(),
  ).toBe('[client]\nuser="u"\npassword="a\\"b\\\\c"\n')
  expect(() => optionFile([['password', 'a\nb']])).toThrow('the password holds a line end')
})

test('a user who is denied a database is shown the statement that lets it in, and then is', async () => {
  server.query("CREATE USER denied@localhost IDENTIFIED BY 'pw'")
  const read = async (): Promise<void> => {
    const options = { user: 'denied', password: 'pw', socket: server.socket, databases: ['big'] }
    for await (const entry of mysql(options, { onProblem: () => undefined }))
      if (entry.type === 'file') await readToEnd(entry)
  }
  const failure: unknown = await read().catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'command-failed', hint: expect.stringContaining('GRANT SELECT, ') })
  const several = { user: 'denied', password: 'pw', socket: server.socket, databases: ['big', 'mysql'] }
  const checked: unknown = await checkMysql(several).catch((error: unknown) => error)
  expect(checked).toMatchObject({ hint: expect.stringContaining('GRANT SELECT, ') })
  const hint = failure instanceof SourceError ? failure.hint : undefined
  server.query(hint?.slice(hint.indexOf('GRANT')) ?? '')
  await read()
})

test('of all databases, those that the user may not know of make the dump incomplete', async () => {
  server.query(
    "CREATE USER few@localhost IDENTIFIED BY 'pw'; GRANT ALL ON bot.* TO few@localhost; GRANT SELECT ON mysql.proc TO few@localhost",
  )
  const few = { user: 'few', password: 'pw', socket: server.socket, databases: 'all' } as const
  const found = async () => {
    const problems: string[] = []
    const onProblem = ({ code, message }: SourceProblem) => problems.push(`${code}: ${message}`)
    const names = (await Array.fromAsync(mysql(few, { onProblem }))).map(({ path }) =>
      Buffer.from(path).toString(),
    )
    return { names, problems }
  }
  const grant = 'GRANT SHOW DATABASES ON *.* TO few@localhost'
  expect(await found()).toEqual({
    names: ['bot.sql'],
    problems: [
      expect.stringMatching(
        /^unreadable: 'few'@'localhost' may not see databases .* \(GRANT SHOW DATABASES ON \*\.\* TO /,
      ),
    ],
  })
  expect((await checkMysql(few)).hidden.map(({ grants }) => grants)).toEqual([
    ["GRANT SHOW DATABASES ON *.* TO 'few'@'localhost'"],
  ])
  server.query(grant)
  const seen = await found()
  expect(seen.names).toContain('big.sql')
  expect(seen.problems.join()).toContain('may not see all tables')
})
