import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  type MariadbServer,
  type PostgresServer,
  startMariadb,
  startPostgres,
} from '@pipe-backup-test/services'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { difference, Sandbox } from './sandbox.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/**
 * Their examples name a server that is not there: they are type-checked, and their conformance suites run the same calls.
 * So is an example that is a test itself.
 */
const NEED_A_SERVER: ReadonlySet<string> = new Set([
  'sink-dropbox',
  'sink-nextcloud',
  'sink-rclone',
  'sink-rsync',
  'sink-s3',
  'sink-sftp',
  'sink-webdav',
])

/** The first block of TypeScript in each package's README. */
const examples = readdirSync(join(ROOT, 'packages'))
  .map((name) => ({ name, readme: join(ROOT, 'packages', name, 'README.md') }))
  .filter(({ readme }) => existsSync(readme))
  .map(({ name, readme }) => ({ name, code: /```ts\n([^]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] }))

/** A project of somebody's that has the packages installed, and a few notes. */
class Project extends Sandbox {
  constructor() {
    super()
    symlinkSync(join(ROOT, 'node_modules'), this.path('node_modules'))
    writeFileSync(this.path('package.json'), '{ "type": "module" }')
    mkdirSync(this.path('notes'))
    writeFileSync(this.path('notes/one'), 'first note')
    writeFileSync(this.path('notes/two'), Buffer.alloc(3_000_000, 'second note '))
  }

  async example(name: string, env: Record<string, string> = {}): Promise<string> {
    writeFileSync(this.path('example.ts'), examples.find((example) => example.name === name)?.code ?? '')
    const { stdout } = await execa(process.execPath, ['example.ts'], { cwd: this.root, env })
    return stdout
  }
}

let mariadb: MariadbServer
let postgres: PostgresServer
let environment: Record<string, string>
beforeAll(async () => {
  ;[mariadb, postgres] = await Promise.all([startMariadb(), startPostgres()])
  mariadb.query(`CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (7);
    CREATE PROCEDURE shop.nothing() SELECT 1;
    CREATE USER backup@localhost IDENTIFIED BY 'a pass''word';`)
  const readme = readFileSync(join(ROOT, 'packages/source-mysql/README.md'), 'utf8')
  for (const grant of readme.match(/GRANT .*?;/g) ?? []) mariadb.query(grant)
  postgres.query('CREATE DATABASE shop; CREATE ROLE backup LOGIN')
  postgres.query('CREATE TABLE orders AS SELECT 7 AS id', 'shop')
  const rights = readFileSync(join(ROOT, 'packages/source-postgres/README.md'), 'utf8')
  for (const grant of rights.match(/GRANT .*?;/g) ?? []) postgres.query(grant)
  environment = {
    MYSQL_SOCKET: mariadb.socket,
    MYSQL_PASSWORD: "a pass'word",
    POSTGRES_SOCKET: join(postgres.socket, `.s.PGSQL.${postgres.port}`),
    POSTGRES_PASSWORD: "a pass'word",
  }
})
afterAll(async () => {
  await Promise.all([mariadb.stop(), postgres.stop()])
})

test.for(examples)('the README of $name has an example of few lines', ({ code }) => {
  expect(code).toBeDefined()
  expect(code?.split('\n').length).toBeLessThan(30)
})

test("every README's example has the types that the packages have", async () => {
  using project = new Project()
  for (const { name, code } of examples)
    writeFileSync(project.path(`${name}.ts`), `${code ?? ''}\nexport {}\n`)
  const options = {
    strict: true,
    noEmit: true,
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    skipLibCheck: true,
    erasableSyntaxOnly: true,
  }
  writeFileSync(
    project.path('tsconfig.json'),
    JSON.stringify({ compilerOptions: options, include: ['*.ts'] }),
  )
  const { stdout, exitCode } = await execa(join(ROOT, 'node_modules/.bin/tsc'), ['-p', project.root], {
    reject: false,
  })
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 })
})

test.for(examples.filter(({ name, code }) => !NEED_A_SERVER.has(name) && !code?.includes('/conformance')))(
  "the example of $name's README runs as it stands",
  async ({ name }) => {
    using project = new Project()
    await expect(project.example(name, environment)).resolves.toBeTypeOf('string')
  },
)

test("tar's example brings the notes back", async () => {
  using project = new Project()
  await project.example('tar')
  mkdirSync(project.path('restored'))
  await execa('tar', ['-xpf', 'notes.tar', '-C', 'restored'], { cwd: project.root })
  expect(await difference(project.path('notes'), project.path('restored', project.root, 'notes'))).toBe('')
})

test('the examples of chunker, crypto and tee show what their comments say', async () => {
  using project = new Project()
  const added = /^(\d+) of \d+ bytes are new$/m.exec(
    (await project.example('chunker')).split('\n')[1] ?? '',
  )?.[1]
  expect(Number(added)).toBeGreaterThan(0)
  expect(Number(added)).toBeLessThan(1_000_000)
  expect(await project.example('crypto')).toBe('first note')
  expect(await project.example('tee')).toBe("[ 'ok', 'ok', 'failed' ]")
  expect(readFileSync(project.path('second')).equals(readFileSync(project.path('notes/two')))).toBe(true)
})

test("source-command's example fails for the program's reason", async () => {
  using project = new Project()
  expect(await project.example('source-command')).toBe('sh exited with 3: out of paper')
})

test("source-mysql's example dumps all, with the rights that its README names", async () => {
  using project = new Project()
  await project.example('source-mysql', environment)
  const { stdout } = await execa('tar', ['-xOf', project.path('databases.tar'), 'shop.sql'])
  expect(stdout).toContain('INSERT INTO `orders` VALUES')
  expect(stdout).toContain('PROCEDURE `nothing`')
})

test("source-postgres's example dumps all, with the rights that its README names", async () => {
  using project = new Project()
  await project.example('source-postgres', environment)
  const { stdout } = await execa('tar', ['-xOf', project.path('databases.tar'), 'shop.sql', '@globals.sql'])
  expect(stdout).toContain('COPY public.orders (id) FROM stdin;\n7\n')
  expect(stdout).toContain('CREATE ROLE backup;')
})
