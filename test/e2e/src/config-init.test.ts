import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type ApacheServer, startApache, startMariadb } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { PseudoTerminal } from './pseudo-terminal.ts'
import { Sandbox } from './sandbox.ts'

let server: ApacheServer
beforeAll(async () => {
  server = await startApache()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Somebody at a terminal, with a directory to back up. */
function atTerminal(
  term = 'xterm-256color',
  more: Readonly<Record<string, string>> = {},
): { sandbox: Sandbox; terminal: PseudoTerminal; file: string } {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  mkdirSync(sandbox.path('data'))
  writeFileSync(sandbox.path('data/note'), 'a note')
  new DatabaseSync(sandbox.path('data/app.db')).exec('CREATE TABLE t (x); INSERT INTO t VALUES (42)')
  const env = { ...sandbox.environment(), TERM: term, ...more }
  const terminal = new PseudoTerminal(['config', 'init'], { cwd: sandbox.root, env })
  onTestFinished(() => terminal[Symbol.asyncDispose]())
  return { sandbox, terminal, file: sandbox.path('etc/pipe-backup.yaml') }
}

async function answerUpToSinks(terminal: PseudoTerminal, file: string): Promise<void> {
  await terminal.answer('written [', file)
  await terminal.answer('name [', 'shop')
  await terminal.answer('  path: ', 'data')
  await terminal.answer('ok: ', '')
  await terminal.answer('(yes or no) [yes]: ', '')
  await terminal.see('ok: 1 database can be copied')
  await nothingMore(terminal)
}

/** Whatever servers this machine has of its own. */
async function nothingMore(terminal: PseudoTerminal): Promise<void> {
  while ((await terminal.see('Back up its databases', 'nothing more')) !== 'nothing more')
    terminal.type('no\r')
  terminal.type('1\r')
}

async function chooseSink(terminal: PseudoTerminal, type: string): Promise<void> {
  await terminal.see('What kind of place?')
  await terminal.see('webdav: ')
  const list = terminal.shown.slice(terminal.shown.lastIndexOf('What kind of place?'))
  const number = new RegExp(String.raw`(\d+) {2}${type}: `).exec(list)?.[1] ?? ''
  await terminal.answer('Number [', number)
  await terminal.answer('name [', '')
}

test.for(['xterm-256color', 'dumb'])(
  'somebody who answers at a terminal (%s) has a configuration with which init, run and restore work, and no secret in it or on the screen',
  async (term) => {
    const { sandbox, terminal, file } = atTerminal(term)
    const { url } = server.makeCollection('basic')
    await answerUpToSinks(terminal, file)

    await chooseSink(terminal, 'local')
    await terminal.answer('  path: ', 'disk')
    await terminal.answer('Another sink', 'yes')
    await chooseSink(terminal, 'webdav')
    await terminal.answer('  url: ', url)
    await terminal.answer('user (optional): ', server.user)
    await terminal.answer('Number [1]: ', '')
    await terminal.answer('(hidden): ', 'not the password')
    await terminal.see('FAILED')
    await terminal.answer('Number [1]: ', '1')
    await terminal.answer(`  url [${url}]: `, '')
    await terminal.answer(`user (optional) [${server.user}]: `, '')
    await terminal.answer('Number [1]: ', '')
    await terminal.answer('(hidden): ', server.password)
    await terminal.see('ok: it answers')
    await terminal.answer('Another sink', '')
    await terminal.answer('How often?', '')
    await terminal.answer('How long', '1')
    await terminal.answer('Who is notified', '5')
    await terminal.answer('(yes or no) [yes]: ', '')
    await terminal.see(`pipe-backup --config ${file} init`)
    await terminal.see(`pipe-backup --config ${file} run`)
    expect(await terminal.end()).toBe(0)

    const text = readFileSync(file, 'utf8')
    expect(parse(text)).toEqual({
      vault: 'shop',
      sources: [
        { type: 'files', name: 'files', paths: [sandbox.path('data')] },
        { type: 'sqlite', name: 'sqlite', paths: [sandbox.path('data/app.db')] },
      ],
      sinks: [
        { type: 'local', name: 'local', path: sandbox.path('disk') },
        {
          type: 'webdav',
          name: 'webdav',
          url,
          user: server.user,
          password: { file: expect.any(String) as string },
        },
      ],
      schedule: '0 * * * *',
      keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 },
    })
    const secrets = sandbox.path('etc/secrets')
    const [secret = '', ...more] = readdirSync(secrets)
    expect(more).toEqual([])
    expect(readFileSync(`${secrets}/${secret}`, 'utf8')).toBe(`${server.password}\n`)
    for (const path of [file, `${secrets}/${secret}`]) expect(statSync(path).mode & 0o777).toBe(0o600)
    for (const shown of [text, terminal.shown]) expect(shown).not.toContain(server.password)
    if (term === 'dumb') expect(terminal.shown).not.toContain('\u001B')

    const config = ['--config', file]
    await sandbox.ok([...config, 'init', '--phrase-out', 'phrase'])
    await sandbox.ok([...config, 'run'])
    await sandbox.ok([
      ...config,
      '--from',
      'webdav',
      'restore',
      'latest',
      '--phrase-file',
      'phrase',
      '--to',
      'restored',
    ])
    expect(readFileSync(sandbox.path('restored/files', sandbox.path('data/note')), 'utf8')).toBe('a note')
  },
)

test('Ctrl-C leaves nothing, neither at a question nor while a secret is typed, and ends with 130', async () => {
  const { sandbox, terminal, file } = atTerminal()
  await answerUpToSinks(terminal, file)
  await chooseSink(terminal, 'webdav')
  await terminal.answer('  url: ', server.makeCollection('basic').url)
  await terminal.answer('user (optional): ', server.user)
  await terminal.answer('Number [1]: ', '')
  await terminal.see('(hidden): ')
  terminal.type('half a sec\u0003')
  await terminal.see('nothing was written')
  expect(await terminal.end()).toBe(130)
  expect(existsSync(sandbox.path('etc'))).toBe(false)
})

test('a configuration that is there is replaced only when asked, and stays beside the new one', async () => {
  const { terminal, file, sandbox } = atTerminal()
  mkdirSync(sandbox.path('etc'))
  writeFileSync(file, 'vault: old\n')
  await terminal.answer('written [', file)
  await terminal.answer('Replace it?', 'no')
  await terminal.answer('written [', file)
  await terminal.answer('Replace it?', 'yes')
  await terminal.answer('name [', 'shop')
  await terminal.answer('  path: ', 'data/note')
  await terminal.answer('ok: ', '')
  await nothingMore(terminal)
  await chooseSink(terminal, 'local')
  await terminal.answer('  path: ', 'disk')
  await terminal.answer('Another sink', '')
  await terminal.answer('How often?', '5')
  await terminal.answer('How long', '4')
  await terminal.answer('Who is notified', '5')
  await terminal.answer('(yes or no) [yes]: ', '')
  expect(await terminal.end()).toBe(0)
  expect(readFileSync(`${file}.old`, 'utf8')).toBe('vault: old\n')
  expect(parse(readFileSync(file, 'utf8'))).toMatchObject({ vault: 'shop' })
})

test('a database server of this machine is offered, tried, and asked for again where the user lacks rights', async () => {
  await using mariadb = await startMariadb()
  mariadb.query(
    "CREATE DATABASE shop; CREATE TABLE shop.t (x INT); CREATE USER poor@localhost IDENTIFIED BY 'pw'",
  )
  const { terminal, file } = atTerminal('dumb', { MYSQL_UNIX_PORT: mariadb.socket })
  await terminal.answer('written [', file)
  await terminal.answer('name [', 'shop')
  await terminal.answer('  path: ', '')
  await terminal.see(`server listens at ${mariadb.socket}`)
  await terminal.answer('Back up its databases', 'yes')
  await terminal.answer('user (optional): ', 'poor')
  await terminal.answer('Number [1]: ', '1')
  await terminal.answer('(hidden): ', 'pw')
  await terminal.answer('  databases [all]: ', 'shop')
  await terminal.see('FAILED')
  await terminal.see('GRANT')
  await terminal.answer('Number [1]: ', '1')
  await terminal.answer('user (optional) [poor]: ', 'root')
  await terminal.answer('Number [1]: ', '4')
  await terminal.answer('  databases [shop]: ', '')
  await terminal.see('ok: 1 database can be dumped')
  terminal.type('\u0003')
  expect(await terminal.end()).toBe(130)
})

test('without a terminal one line says so, and the exit code is 2', async () => {
  using sandbox = new Sandbox()
  const { code, err } = await sandbox.run(['config', 'init'], { input: 'x\n' })
  expect([code, err]).toEqual([2, expect.stringContaining('on a terminal, and there is none')])
})

test('a place where nothing can be written is said before anything else is asked', async () => {
  const { sandbox, terminal, file } = atTerminal()
  const closed = sandbox.path('closed')
  mkdirSync(closed)
  await execa('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', closed])
  try {
    await terminal.answer('written [', `${closed}/deeper/pipe-backup.yaml`)
    await terminal.see(`This user may not write in ${closed}.`)
    await terminal.answer('written [', file)
    await terminal.see('name [')
    terminal.type('\u0003')
    expect(await terminal.end()).toBe(130)
  } finally {
    await execa('umount', [closed])
  }
})
