import { once } from 'node:events'
import { cpSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { deriveKeys, generatePhrase, masterFromPhrase } from '@pipe-backup/crypto'
import { startMariadb, startSshd } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const EXAMPLES = join(ROOT, 'docs/examples')
const PROGRAMS = globSync('*.ts', { cwd: EXAMPLES })

/** A directory of somebody's that has the examples and the packages, a phrase, and a few notes. */
class Project extends Sandbox {
  readonly phrase = generatePhrase()

  constructor() {
    super()
    for (const name of PROGRAMS) cpSync(join(EXAMPLES, name), this.path(name))
    symlinkSync(join(ROOT, 'node_modules'), this.path('node_modules'))
    writeFileSync(this.path('package.json'), '{ "type": "module" }')
    writeFileSync(this.path('words'), this.phrase, { mode: 0o600 })
    mkdirSync(this.path('notes'))
    writeFileSync(this.path('notes/one'), 'first note')
    writeFileSync(this.path('notes/two'), Buffer.alloc(1_000_000, 'second note '))
  }

  async publicKey(): Promise<string> {
    return Buffer.from((await deriveKeys(masterFromPhrase(this.phrase))).publicKey).toString('hex')
  }

  /** Runs an example; gives its output. @throws with what it printed, when it fails */
  async node(args: readonly string[], options: { env?: Record<string, string>; inputFile?: string } = {}) {
    const { stdout } = await execa(process.execPath, args, {
      cwd: this.root,
      ...options,
      encoding: 'buffer',
      stripFinalNewline: false,
    })
    return Buffer.from(stdout)
  }

  /** What example and phrase make of an encrypted file. */
  open(file: string): Promise<Buffer> {
    return this.node(['encrypted-tee.ts', '--open', 'words'], { inputFile: this.path(file) })
  }
}

test('there are six programs, and each is named in the README', () => {
  const readme = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
  expect(PROGRAMS.filter((name) => !name.endsWith('.test.ts'))).toHaveLength(6)
  expect(PROGRAMS.filter((name) => !readme.includes(`](${name})`))).toEqual([])
})

test.for(PROGRAMS)('%s says what it shows, imports packages alone, and is short', (name) => {
  const code = readFileSync(join(EXAMPLES, name), 'utf8')
  expect(code).toMatch(/^\/\*\*/)
  expect(code.trimEnd().split('\n').length).toBeLessThan(40)
  for (const [, from = ''] of code.matchAll(/ from '([^']+)'/g))
    expect(from).toMatch(/^(@pipe-backup\/|node:|\.\/own-sink\.ts$)/)
})

test('the plain pipe stores an encrypted tar, and the phrase opens it', async () => {
  using project = new Project()
  await project.node(['plain-pipe.ts', await project.publicKey(), 'notes', 'disk'])
  expect(readFileSync(project.path('disk/files.tar.pb')).includes('second note')).toBe(false)
  writeFileSync(project.path('files.tar'), await project.open('disk/files.tar.pb'))
  const two = join(project.root, 'notes/two').slice(1)
  const { stdout } = await execa('tar', ['-xOf', project.path('files.tar'), two], {
    encoding: 'buffer',
    stripFinalNewline: false,
  })
  expect(Buffer.from(stdout).equals(readFileSync(project.path('notes/two')))).toBe(true)
})

test('a database goes to two sinks, the same bytes on both; a wrong password leaves nothing on either', async () => {
  using project = new Project()
  await using server = await startMariadb()
  await using ssh = await startSshd()
  server.query(`CREATE DATABASE shop; CREATE TABLE shop.orders AS SELECT 7 AS id;
    CREATE USER backup@localhost IDENTIFIED BY 'pw'; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO backup@localhost`)
  const place = ssh.makePlace()
  const address = `sftp://${ssh.user}@${ssh.host}:${ssh.port}${place.remote}`
  const env = { MYSQL_SOCKET: server.socket, SSH_IDENTITY: ssh.identity, SSH_HOST_KEY: ssh.hostKey }
  const args = ['mysql-to-two-sinks.ts', await project.publicKey(), 'shop', 'disk', address]
  await expect(project.node(args, { env: { ...env, MYSQL_PASSWORD: 'wrong' } })).rejects.toThrow('exited')
  expect(globSync('**/*.pb', { cwd: project.root })).toEqual([])
  expect(globSync('**/*.pb', { cwd: place.local })).toEqual([])

  await project.node(args, { env: { ...env, MYSQL_PASSWORD: 'pw' } })
  const copy = readFileSync(project.path('disk/shop.tar.pb'))
  expect(readFileSync(join(place.local, 'shop.tar.pb')).equals(copy)).toBe(true)
  expect((await project.open('disk/shop.tar.pb')).toString()).toContain('INSERT INTO `orders` VALUES')
})

test('the vault in 20 lines stores what changed alone, and a web handler gives a file back', async () => {
  using project = new Project()
  const run = async () => (await project.node(['backup.ts', 'notes', 'one', 'two'])).toString()
  const sent = (said: string) => Number(/^sink-1: ok, (\d+) bytes$/m.exec(said)?.[1])
  const first = sent(await run())
  writeFileSync(project.path('notes/three'), 'third note')
  expect(sent(await run())).toBeLessThan(first)

  const handler = execa(process.execPath, ['restore-over-http.ts', 'phrase', '0', 'one', 'two'], {
    cwd: project.root,
    reject: false,
  })
  try {
    const [said] = await once(handler.stdout, 'data')
    const port = /port: (\d+)/.exec(String(said))?.[1]
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}/files${encodeURI(project.path(path))}`)
    expect(await (await ask('notes/three')).text()).toBe('third note')
    const two = Buffer.from(await (await ask('notes/two')).arrayBuffer())
    expect(two.equals(readFileSync(project.path('notes/two')))).toBe(true)
    expect((await ask('notes/none')).status).toBe(404)
    expect((await ask('notes')).status).toBe(404)
  } finally {
    handler.kill()
    await handler
  }
})

test('a stream goes to two files; one that can not be written is dropped, and the other opens', async () => {
  using project = new Project()
  const key = await project.publicKey()
  const input = { inputFile: project.path('notes/two') }
  await project.node(['encrypted-tee.ts', key, 'a.pb', 'b.pb'], input)
  expect((await project.open('b.pb')).equals(readFileSync(project.path('notes/two')))).toBe(true)
  const dropped = project.node(['encrypted-tee.ts', key, 'c.pb', 'no/such/directory/d.pb'], input)
  await expect(dropped).rejects.toMatchObject({ exitCode: 3 })
  expect((await project.open('c.pb')).equals(readFileSync(project.path('notes/two')))).toBe(true)
})

test("a sink of one's own passes the suite of all sinks", async () => {
  using project = new Project()
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const { exitCode, all } = await execa(
    process.execPath,
    [vitest, 'run', 'own-sink.test.ts', '--root', project.root],
    { cwd: project.root, reject: false, all: true },
  )
  expect(exitCode, all).toBe(0)
})
