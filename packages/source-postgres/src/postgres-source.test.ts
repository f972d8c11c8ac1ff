import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkPostgres } from './check-postgres.ts'
import { loadDump } from './load-dump.ts'
import type { PostgresOptions } from './postgres-source.ts'
import { environmentOf, serviceFile } from './server-options.ts'
import { readDumps } from './test-support/read-dumps.ts'

const PASSWORD = ` p#ss "w'rd\\ é ;=[x]:`
const ODD = `dbname=x host='h' "q" \\ /@é;\n`
let server: PostgresServer
let other: PostgresServer

beforeAll(async () => {
  ;[server, other] = await Promise.all([startPostgres(), startPostgres()])
  server.query(`CREATE ROLE backup LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'; GRANT pg_read_all_data TO backup;
    CREATE ROLE owner NOLOGIN; CREATE ROLE poor LOGIN`)
  for (const name of ['bot', 'big', ODD]) server.query(`CREATE DATABASE "${name.replaceAll('"', '""')}"`)
  server.query(readFileSync(join(import.meta.dirname, 'every-type.sql')), 'bot')
  server.query('GRANT SELECT ON LARGE OBJECT 4711 TO backup; ALTER TABLE log OWNER TO owner', 'bot')
  server.query('CREATE TABLE t (a int); INSERT INTO t VALUES (42)', ODD)
  server.query(
    'CREATE TABLE t AS SELECT i, repeat(md5(i::text), 5000) AS b FROM generate_series(1, 400) i',
    'big',
  )
})
afterAll(async () => {
  await Promise.all([server?.stop(), other?.stop()])
})

const as = (options: Partial<PostgresOptions> = {}): PostgresOptions => ({
  databases: ['bot'],
  user: 'backup',
  password: PASSWORD,
  host: '127.0.0.1',
  port: server.port,
  ...options,
})
const asRoot = (where: PostgresServer) => ({ user: 'postgres', socket: where.socket, port: where.port })
const withoutKey = (dump: Buffer | undefined) =>
  (dump ?? Buffer.alloc(0)).toString('latin1').replaceAll(/^\\(un)?restrict \w+$/gm, '')

test('a dump of every type, loaded into another server under another name, makes an equal database', async () => {
  const { dumps, problems } = await readDumps(as())
  expect(problems).toEqual([])
  other.query('CREATE ROLE owner; CREATE ROLE backup; CREATE DATABASE restored TEMPLATE template0')
  other.query(dumps.get('bot.sql') ?? '', 'restored')
  const again = await readDumps({ databases: ['restored'], ...asRoot(other) })
  expect(withoutKey(again.dumps.get('restored.sql'))).toBe(withoutKey(dumps.get('bot.sql')))
  const rows =
    'SELECT * FROM kinds ORDER BY id; SELECT * FROM parts_2025; SELECT lo_get(4711); SELECT last_value FROM counted'
  expect(other.query(rows, 'restored')).toBe(server.query(rows, 'bot'))
  expect(
    other.query(
      "INSERT INTO parts VALUES (9000, '2030-01-01'); SELECT what FROM log WHERE what = 'new 9000'",
      'restored',
    ),
  ).toContain('new 9000')
})

test('two dumps of an unchanged database differ in their random key alone, whatever the environment', async () => {
  const first = await readDumps(as())
  const variables = {
    PGOPTIONS: '-c search_path=nowhere -c extra_float_digits=-5 -c datestyle=german',
    PGTZ: 'Asia/Tokyo',
    PGCLIENTENCODING: 'LATIN1',
    PGHOSTADDR: '192.0.2.1',
    PGDATABASE: 'nothing',
    LC_ALL: 'de_DE.UTF-8',
  }
  const before = { ...process.env }
  Object.assign(process.env, variables)
  try {
    const second = await readDumps(as())
    expect(withoutKey(second.dumps.get('bot.sql'))).toBe(withoutKey(first.dumps.get('bot.sql')))
    expect(first.dumps.get('bot.sql')?.toString()).toMatch(/2026-03-29 00:30:00\+00/)
  } finally {
    for (const name of Object.keys(variables))
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
  }
})

test('all databases come with roles, in order, and an odd name is no connection string', async () => {
  const { dumps, problems } = await readDumps({ databases: 'all', ...asRoot(server) })
  expect(problems).toEqual([])
  const odd = `${ODD.replace('/', '@002f').replace('@é', '@0040é')}.sql`
  expect([...dumps.keys()]).toEqual(['@globals.sql', 'big.sql', 'bot.sql', odd, 'postgres.sql'])
  expect(dumps.get(odd)?.toString()).toMatch(/\n42\n/)
  const globals = dumps.get('@globals.sql')?.toString() ?? ''
  expect(globals).toMatch(/CREATE ROLE backup;\nALTER ROLE backup .* PASSWORD 'SCRAM-SHA-256/)
  const poor = { user: 'poor', socket: server.socket, port: server.port }
  const weak = (await readDumps({ databases: ['postgres'], globals: true, ...poor })).dumps
    .get('@globals.sql')
    ?.toString()
  expect(weak).toContain('CREATE ROLE backup;')
  expect(weak).not.toContain('SCRAM')
})

const FAILURES: readonly (readonly [
  what: string,
  options: Partial<PostgresOptions>,
  message: RegExp,
  hint?: RegExp,
])[] = [
  ['a wrong password', { password: 'wr0ng-secret' }, /password authentication failed for user "backup"/],
  ['no password', { password: undefined }, /no password supplied/, /Give a `password`/],
  ['a database that is not there', { databases: ['nothing'] }, /database "nothing" does not exist/],
  ['a server that is not there', { port: 9 }, /Connection refused/],
  [
    'a user that may not read',
    { user: 'poor', password: undefined, host: undefined, socket: '' },
    /permission denied for/,
    /pg_read_all_data/,
  ],
  ['a password with a line end', { password: 'a\nb' }, /the password holds a line end/],
]

test.for(FAILURES)('%s is one line, with what to do', async ([, options, message, hint]) => {
  const socket = options.socket === '' ? server.socket : undefined
  const failure: unknown = await readDumps(as({ ...options, socket })).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'command-failed', message: expect.stringMatching(message) })
  if (hint) expect(failure).toMatchObject({ hint: expect.stringMatching(hint) })
  expect(String(failure)).not.toMatch(/wr0ng-secret|\n/)
})

test('a database that is not there leaves the others to be dumped', async () => {
  const { dumps, problems } = await readDumps(as({ databases: ['bot', 'nothing'] }))
  expect([...dumps.keys()]).toEqual(['bot.sql'])
  expect(problems).toMatchObject([{ code: 'unreadable', path: 'nothing.sql' }])
})

test('programs that are not there are named', async () => {
  const path = process.env['PATH']
  process.env['PATH'] = '/nowhere'
  try {
    await expect(readDumps({ databases: ['bot'], ...asRoot(server) })).rejects.toMatchObject({
      message: expect.stringMatching(/^psql could not be started/),
      hint: expect.stringContaining('Install the client programs'),
    })
  } finally {
    process.env['PATH'] = path
  }
})

test('a connection is checked against the authority, and the name of the server', async () => {
  const ssl = { ca: server.ca }
  expect((await readDumps(as({ host: 'localhost', ssl }))).dumps.size).toBe(1)
  await expect(readDumps(as({ host: 'localhost', ssl: { ca: other.ca } }))).rejects.toMatchObject({
    message: expect.stringContaining('certificate verify failed'),
  })
  await expect(readDumps(as({ ssl }))).rejects.toMatchObject({
    message: expect.stringMatching(/certificate for "localhost".* does not match host name "127\.0\.0\.1"/),
  })
  expect((await readDumps(as({ ssl: { ca: other.ca, verify: false } }))).dumps.size).toBe(1)
})

test('the password is in no argument and no environment while a dump runs', async () => {
  let looked = 0
  await readDumps(as({ databases: ['big'] }), () => {
    if (looked > 3) return
    const all = processes()
    if (all.some(({ commandLine }) => /\/pg_dump\0/.test(commandLine))) looked++
    const own = all.filter(({ pid }) => pid !== process.pid)
    const secret = PASSWORD.trim()
    expect(own.filter((one) => one.commandLine.includes(secret) || one.environment.includes(secret))).toEqual(
      [],
    )
  })
  expect(looked).toBeGreaterThan(0)
})

test('a dump whose program or connection is killed in the middle is a failed source', async () => {
  let killed = false
  const killing = readDumps(as({ databases: ['big'] }), () => {
    const victim = processes().find(({ commandLine }) => /\/pg_dump\0/.test(commandLine))
    if (victim && !killed) killed = process.kill(victim.pid, 'SIGKILL')
  })
  await expect(killing).rejects.toMatchObject({ code: 'command-failed' })
  expect(killed).toBe(true)
  let ended = ''
  const ending = readDumps(as({ databases: ['big'] }), () => {
    if (ended === '')
      ended = server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'",
      )
  })
  await expect(ending).rejects.toMatchObject({
    code: 'command-failed',
    message: expect.stringMatching(
      /^pg_dump of database big exited with 1: [^\n]*PQgetCopyData\(\) failed[^\n]*$/,
    ),
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

test('a check says what can be dumped, what would be missing, and whose roles are needed', async () => {
  server.query(`ALTER DATABASE bot SET work_mem = '8MB'; CREATE DATABASE closed ALLOW_CONNECTIONS false`)
  server.query("CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)", 'big')
  const found = await checkPostgres(as({ databases: 'all' }))
  expect(found).toMatchObject({
    databases: 4,
    problems: [],
    hidden: ['big: its subscriptions are left out: backup may not see them, a superuser may'],
    lacksPasswords: false,
    user: 'backup',
    closed: ['closed'],
    withSettings: ['bot'],
  })
  expect(found.roles).toEqual(expect.arrayContaining(['backup', 'owner']))
  const { problems } = await readDumps(as({ databases: 'all' }))
  expect(problems.map(({ code, path }) => [code, path])).toEqual([
    ['skipped', 'closed.sql'],
    ['unreadable', 'big.sql'],
  ])
  server.query('ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s', 'big')
  const poor = await checkPostgres({
    databases: ['bot', 'postgres'],
    globals: true,
    user: 'poor',
    socket: server.socket,
    port: server.port,
  })
  expect([poor.databases, poor.lacksPasswords]).toEqual([1, true])
  expect(poor.problems).toEqual([expect.stringMatching(/^bot\.sql: .*permission denied.*pg_read_all_data/)])
})

test('a dump is proven by a server that is left as it was, and a role that is not there is named', async () => {
  await using scratch = await startPostgres()
  const dump = (await readDumps(as())).dumps.get('bot.sql') ?? Buffer.alloc(0)
  const load = (bytes: Buffer) =>
    loadDump(
      asRoot(scratch),
      (async function* () {
        yield bytes
      })(),
    )
  await expect(load(dump)).rejects.toMatchObject({
    message: expect.stringContaining('role "owner" does not exist'),
    hint: expect.stringContaining('@globals.sql'),
  })
  scratch.query(
    "CREATE ROLE owner; CREATE ROLE backup; CREATE ROLE drill LOGIN CREATEDB SUPERUSER PASSWORD 'd r''ill'",
  )
  expect(await load(dump)).toBeGreaterThan(6)
  const byPassword = { user: 'drill', password: "d r'ill", host: '127.0.0.1', port: scratch.port }
  expect(
    await loadDump(
      byPassword,
      (async function* () {
        yield dump
      })(),
    ),
  ).toBeGreaterThan(6)
  await expect(load(dump.subarray(0, dump.length / 2))).rejects.toMatchObject({ code: 'command-failed' })
  expect(scratch.query("SELECT count(*) FROM pg_database WHERE datname LIKE 'pipe%'").trim()).toBe('0')
})

test('a socket may be named itself, and a service file holds what it is given', () => {
  const { PGHOST, PGPORT, PGOPTIONS } = environmentOf({ socket: '/run/p/.s.PGSQL.5433' }, 'x', {
    PGOPTIONS: '-c a=b',
  })
  expect([PGHOST, PGPORT, PGOPTIONS]).toEqual(['/run/p', '5433', undefined])
  expect(serviceFile('a b=#').toString()).toBe('[server]\npassword=a b=#\n')
  expect(() => serviceFile('a ')).toThrow('ends with a blank')
})
