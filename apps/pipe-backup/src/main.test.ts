import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pipe-backup-main-'))
})

afterAll(async () => await rm(root, { recursive: true }))

/** Each test has a machine of its own: a working directory with a tree to back up, and XDG directories. */
let home: string
let count = 0

beforeEach(async () => {
  home = join(root, String(count++))
  await mkdir(join(home, 'data', 'sub'), { recursive: true })
  await writeFile(join(home, 'data', 'a.txt'), 'alpha\n')
  await writeFile(join(home, 'data', 'sub', 'b.bin'), Buffer.alloc(300_000, 'b'))
  await writeFile(join(home, 'pipe-backup.yaml'), CONFIG)
})

const CONFIG = `
sources:
  - { type: files, name: wallet, paths: [./data] }
sinks:
  - { type: local, name: one, path: ./one }
  - { type: local, name: two, path: ./two }
`

interface Piped {
  readonly input?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

async function pb(words: string, { input = '', env = {} }: Piped = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['--conditions=pipe-backup-src', MAIN, ...words.split(' ')], {
    cwd: home,
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'c'),
      XDG_STATE_HOME: join(home, 's'),
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...env,
    },
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const ended = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  await ended
  return { code: child.exitCode, stdout, stderr }
}

/** Runs a command that must succeed. */
async function ok(words: string, piped?: Piped): Promise<string> {
  const { code, stdout, stderr } = await pb(words, piped)
  expect(`${code} ${stderr}`).toBe('0 ')
  return stdout
}

const wallet = (): string => `wallet${join(home, 'data')}`

async function exists(path: string): Promise<boolean> {
  return await stat(join(home, path)).then(
    () => true,
    () => false,
  )
}

test('what was backed up comes back: init, run, snapshots, ls, cat, restore', async () => {
  await ok('init --phrase-out phrase')
  expect((await stat(join(home, 'phrase'))).mode & 0o777).toBe(0o600)
  const report: unknown = JSON.parse(await ok('run --json'))
  expect(report).toMatchObject({ copies: 2, exitCode: 0, sources: [{ name: 'wallet', state: 'ok' }] })
  const listed: unknown = JSON.parse(await ok('snapshots --json'))
  expect(listed).toMatchObject({ sinks: ['one', 'two'] })
  expect(await ok('ls latest --phrase-file phrase')).toContain(`${wallet()}/a.txt\n`)
  expect(
    await ok(`cat latest ${wallet()}/a.txt --phrase-file -`, {
      input: await readFile(join(home, 'phrase'), 'utf8'),
    }),
  ).toBe('alpha\n')
  await ok('restore latest --to out --phrase-file phrase')
  expect(await readFile(join(home, 'out', wallet(), 'a.txt'), 'utf8')).toBe('alpha\n')
  expect(await readFile(join(home, 'out', wallet(), 'sub', 'b.bin'))).toEqual(Buffer.alloc(300_000, 'b'))
})

test('a machine that has never seen the vault reads it with one sink and the phrase', async () => {
  await ok('init --phrase-out phrase')
  await ok('run')
  await writeFile(join(home, 'elsewhere.yaml'), `sinks: [{ type: local, name: x, path: ${home}/two }]`)
  const env = {
    PIPE_BACKUP_PHRASE: await readFile(join(home, 'phrase'), 'utf8'),
    XDG_CONFIG_HOME: join(home, 'none'),
  }
  expect(await ok(`cat latest ${wallet()}/a.txt --config elsewhere.yaml`, { env })).toBe('alpha\n')
  expect(JSON.parse(await ok('snapshots --json --config elsewhere.yaml', { env }))).toMatchObject({
    sinks: ['x'],
  })
  expect(await exists('none')).toBe(false)
})

test('a restore to standard output is a tar, and its reader may go away', async () => {
  await ok('init --phrase-out phrase')
  await ok('run')
  const child = spawn(
    'bash',
    [
      '-c',
      `"$0" --conditions=pipe-backup-src "$1" restore latest --phrase-file phrase | head -c 512; echo "\${PIPESTATUS[0]}" >&2`,
      process.execPath,
      MAIN,
    ],
    { cwd: home, env: { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, 'c') } },
  )
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(stdout.slice(257, 262)).toBe('ustar')
  expect(stderr).toBe('141\n')
})

test.for([
  ['snapshots', '3'],
  ['ls latest --phrase-file phrase', '1'],
])('%s, into a file on a full disk, says that its output is lost', async ([command, code]) => {
  await ok('init --phrase-out phrase')
  await ok('run')
  const child = spawn(
    'sh',
    [
      '-c',
      `"$0" --conditions=pipe-backup-src "$1" ${command} >/dev/full; echo $? >&2`,
      process.execPath,
      MAIN,
    ],
    { cwd: home, env: { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, 'c') } },
  )
  expect(await text(child.stderr)).toBe(
    `pipe-backup: standard output could not be written: ENOSPC: no space left on device, write\n${code}\n`,
  )
})

test('what is piped in is one entry of its own source', async () => {
  await ok('init --phrase-out phrase')
  await ok('run --stdin database/x.sql', { input: 'insert\n' })
  expect(await ok('cat latest database/x.sql --phrase-file phrase')).toBe('insert\n')
})

test("a program's output is one entry, and a program that fails is a failed source", async () => {
  const sources = [
    '  - { type: command, name: good, run: [./say.sh, "$WORD"], path: said.txt, env: { WORD: { env: SECRET_WORD } } }',
    '  - { type: command, name: bad, run: [sh, -c, "echo half; exit 3"], path: half.txt }',
  ]
  await writeFile(
    join(home, 'say.sh'),
    '#!/bin/sh\necho "$1 $WORD ${SECRET_WORD-unset} ${PIPE_BACKUP_PHRASE-unset}"; pwd\n',
    { mode: 0o755 },
  )
  await writeFile(join(home, 'pipe-backup.yaml'), CONFIG.replace('sinks:', `${sources.join('\n')}\nsinks:`))
  await ok('init --phrase-out phrase')
  const { code, stderr } = await pb('run', {
    env: { SECRET_WORD: 'hunter2', PIPE_BACKUP_PHRASE: 'some words' },
  })
  expect(code).toBe(3)
  expect(stderr).toMatch(/^pipe-backup: source "bad" failed: .*3.*\n$/)
  const read = await pb('cat latest good/said.txt --phrase-file phrase')
  expect(read).toMatchObject({ code: 0, stdout: `$WORD hunter2 unset unset\n${home}\n` })
  expect(read.stderr).toContain('warning: ')
  expect(await pb('cat latest bad/half.txt --phrase-file phrase')).toMatchObject({ code: 1, stdout: '' })
})

test('nothing piped in is a failed run, without a snapshot', async () => {
  await ok('init --phrase-out phrase')
  const { code, stdout } = await pb('run --json --stdin database/x.sql')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ snapshot: null, exitCode: 1, sources: [{ state: 'failed' }] })
})

test('init without a place for the phrase makes nothing', async () => {
  expect(await pb('init')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('nowhere to go'),
  })
  expect([await exists('one'), await exists('c')]).toEqual([false, false])
})

test('init never replaces a phrase, a key or a vault', async () => {
  await ok('init --phrase-out phrase')
  expect(await pb('init --phrase-out phrase')).toMatchObject({ code: 2 })
  expect(await pb('init --phrase-out second --json')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('vault-exists'),
  })
  await rm(join(home, 'c'), { recursive: true })
  expect(await pb('init --phrase-out second')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('already on "one", "two"'),
  })
  expect(await exists('second')).toBe(false)
})

test('a host that lost everything joins again with the phrase, and a new sink is filled in', async () => {
  await ok('init --phrase-out phrase')
  await rm(join(home, 'c'), { recursive: true })
  await rm(join(home, 'two'), { recursive: true })
  const joined: unknown = JSON.parse(await ok('init --phrase-file phrase --json'))
  expect(joined).toMatchObject({
    sinks: [
      { name: 'one', state: 'joined' },
      { name: 'two', state: 'created' },
    ],
  })
  await ok('init --phrase-file phrase')
  await ok('run')
})

test("another vault's phrase opens nothing and joins nothing", async () => {
  await ok('init --phrase-out phrase')
  await ok('run')
  const other = { PIPE_BACKUP_PHRASE: `${'abandon '.repeat(23)}art` }
  for (const words of ['ls latest', 'key check', 'snapshots', 'restore latest --to out']) {
    const { code, stderr } = await pb(words, { env: other })
    expect(`${words}: ${code} ${stderr}`).toMatch(
      /: 1 pipe-backup: this is the recovery phrase of another vault, not of [0-9a-f]{32}\n$/,
    )
  }
  await rm(join(home, 'c'), { recursive: true })
  expect(await pb('init', { env: other })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('another vault'),
  })
  expect([await exists('c'), await exists('out')]).toEqual([false, false])
})

test('reading needs the phrase: the host key is not enough', async () => {
  await ok('init --phrase-out phrase')
  await ok('run')
  for (const words of ['ls latest', 'cat latest wallet/x', 'restore latest --to out']) {
    expect(await pb(words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('needs the recovery phrase'),
    })
  }
})

test('a host key that others can read is refused', async () => {
  await ok('init --phrase-out phrase')
  await chmod(join(home, 'c', 'pipe-backup', 'default.key'), 0o644)
  expect(await pb('run')).toMatchObject({ code: 2, stderr: expect.stringContaining('chmod 600') })
})

test('a sink that is gone does not stop a run that has copies enough', async () => {
  await writeFile(join(home, 'pipe-backup.yaml'), `copies: 1\n${CONFIG}`)
  await ok('init --phrase-out phrase')
  await rm(join(home, 'two'), { recursive: true })
  const { code, stdout, stderr } = await pb('run --json')
  expect(code).toBe(3)
  expect(JSON.parse(stdout)).toMatchObject({
    copies: 1,
    exitCode: 3,
    sinks: [{ state: 'ok' }, { state: 'failed' }],
  })
  expect(stderr.split('\n').filter((line) => line.includes('sink "two"'))).toHaveLength(1)
  expect(await exists('two')).toBe(false)
})

test('a source whose secret is missing fails alone', async () => {
  const mysql = '  - { type: mysql, name: db, databases: [x], password: { env: NOT_SET } }'
  await writeFile(join(home, 'pipe-backup.yaml'), CONFIG.replace('sinks:', `${mysql}\nsinks:`))
  await ok('init --phrase-out phrase')
  const { code, stderr } = await pb('run')
  expect(code).toBe(3)
  expect(stderr).toBe('pipe-backup: source "db" failed: the environment variable NOT_SET is not set\n')
})

test('mistakes in the configuration are exit code 2, each a line, also as JSON', async () => {
  await writeFile(join(home, 'pipe-backup.yaml'), 'valt: x\nsinks: []\n')
  const { code, stdout, stderr } = await pb('config check --json')
  expect(code).toBe(2)
  expect(stderr).toBe(
    `pipe-backup: ${home}/pipe-backup.yaml:1:1: valt: unknown key; did you mean "vault"?\npipe-backup: ${home}/pipe-backup.yaml:2:8: sinks: must have at least one sink\n`,
  )
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'unknown-key' } })
})

test('usage errors are exit code 2, also as JSON', async () => {
  for (const words of [
    'bogus',
    'cat latest',
    'run --bogus',
    'run --source nope',
    'run --from one',
    'restore latest --json',
    '',
  ]) {
    expect(`${words}: ${(await pb(`${words} --json`.trim())).code}`).toBe(`${words}: 2`)
  }
  expect(JSON.parse((await pb('bogus --json')).stdout)).toEqual({
    error: { code: 'usage', message: "unknown command 'bogus'" },
  })
})

test('every command has help with an example, and the program says its version', async () => {
  const commands = [
    'init',
    'run',
    'snapshots',
    'ls',
    'find',
    'history',
    'diff',
    'cat',
    'restore',
    'key',
    'key show',
    'key check',
    'dropbox',
    'dropbox login',
    'config',
    'config check',
    'config schema',
    'completion',
  ]
  const helps = await Promise.all(['', ...commands].map(async (command) => ok(`${command} --help`.trim())))
  for (const help of helps) expect(help).toContain('\nExample:\n  ')
  expect(await ok('--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('the JSON Schema of the configuration describes every option', async () => {
  const schema: unknown = JSON.parse(await ok('config schema'))
  expect(schema).toMatchObject({ type: 'object', required: ['sinks'], additionalProperties: false })
  expect(JSON.stringify(schema)).toContain('Who is notified of what failed')
})

test('one run of a vault goes on at a time', async () => {
  await ok('init --phrase-out phrase')
  const child = spawn(process.execPath, ['--conditions=pipe-backup-src', MAIN, 'run', '--stdin', 'slow/x'], {
    cwd: home,
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'c'),
      XDG_STATE_HOME: join(home, 's'),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  while (!(await exists('s/pipe-backup/default/run.json')))
    await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await pb('run')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('another run of this vault'),
  })
  child.stdin.end('done')
  await ended
  expect(child.exitCode).toBe(0)
  await ok('run')
})

test('a signal stops a run, leaves no snapshot, and is its exit code', async () => {
  await ok('init --phrase-out phrase')
  const child = spawn(process.execPath, ['--conditions=pipe-backup-src', MAIN, 'run', '--stdin', 'slow/x'], {
    cwd: home,
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'c'),
      XDG_STATE_HOME: join(home, 's'),
    },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close')
  child.stdin.write('never ends')
  while (!(await exists('s/pipe-backup/default/run.json')))
    await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGTERM')
  const stderr = await text(child.stderr)
  await ended
  expect(child.exitCode).toBe(143)
  expect(stderr).toContain('SIGTERM: stopping')
  expect(await ok('snapshots')).toBe('no snapshot yet\n')
})
