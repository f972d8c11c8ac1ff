import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type DropboxServer, startDropbox } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { difference, MAIN, Sandbox } from './sandbox.ts'

let server: DropboxServer
beforeAll(async () => {
  server = await startDropbox()
})
afterAll(() => server[Symbol.asyncDispose]())

let places = 0

/** A sandbox with a tree, and a sink in a Dropbox whose token is in a file that a login has to make. */
function setting(options: object = {}): { sandbox: Sandbox; tree: string; box: object } {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  makeOddTree(tree)
  const box = {
    type: 'dropbox',
    name: 'box',
    appKey: server.appKey,
    refreshToken: { file: 'token' },
    path: `/tipbot ${++places}`,
    apiUrl: server.apiUrl(),
    contentUrl: server.contentUrl(),
    ...options,
  }
  sandbox.configure({ sources: [{ type: 'files', name: 'tree', paths: [tree] }], sinks: [box] })
  return { sandbox, tree, box }
}

/** Runs a login as a person would, who allows the app on the page that is shown; `toCode` may do something else with the address. */
async function logIn(
  sandbox: Sandbox,
  args: readonly string[] = [],
  toCode = (page: string): string => server.tokens.authorize(page),
): Promise<{ code: number | undefined; out: string; err: string }> {
  const child = execa(process.execPath, [MAIN, 'dropbox', 'login', ...args], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    reject: false,
  })
  let shown = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    const page = /^ {2}(https:\S+)\n[^]*: $/m.exec(shown)?.[1]
    // Its input stays open, as a terminal's does: the command ends all the same.
    if (page !== undefined) child.stdin.write(`${toCode(page)}\n`)
  })
  const { exitCode: code, stdout: out, stderr: err } = await child
  return { code, out, err }
}

async function bytesOf(sandbox: Sandbox, tree: string): Promise<string> {
  return difference(tree, sandbox.path('restored/tree', tree))
}

test('a login gives the token that the configuration wants, for its owner alone; the vault lives on it, and restores from there alone', async () => {
  const { sandbox, tree, box } = setting()
  const { code, out } = await logIn(sandbox)
  const token = readFileSync(sandbox.path('token'), 'utf8')
  expect({ code, out }).toEqual({
    code: 0,
    out: `refresh token: ${sandbox.path('token')}, where the configuration has it`,
  })
  expect([token, statSync(sandbox.path('token')).mode & 0o777]).toEqual([
    expect.stringMatching(/^[\w-]{40,}\n$/),
    0o600,
  ])
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  server.tokens.expireAccess()
  await sandbox.ok(['run'])
  writeFileSync(sandbox.path('only.json'), JSON.stringify({ vault: 'sandbox', sinks: [box] }), {
    mode: 0o600,
  })
  const from = ['--config', sandbox.path('only.json'), '--phrase-file', 'phrase']
  await sandbox.ok(['restore', 'latest', ...from, '--to', 'restored'], { machine: 'elsewhere' })
  expect(await bytesOf(sandbox, tree)).toBe('')
})

test('a login needs no configuration: the app key will do, and what to configure is reported', async () => {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  const app = ['--app-key', server.appKey, '--api-url', server.apiUrl()]
  const written = await logIn(sandbox, [...app, '--token-out', 'secrets/token'])
  const file = sandbox.path('secrets/token')
  expect(written).toMatchObject({
    code: 0,
    out: expect.stringContaining(
      `- { type: dropbox, name: box, appKey: ${server.appKey}, refreshToken: { file: "${file}" } }`,
    ),
  })
  expect(written.out + written.err).not.toContain(readFileSync(file, 'utf8').trim())
  const printed = await logIn(sandbox, [...app, '--token-out', '-'])
  expect(printed).toMatchObject({ code: 0, out: expect.stringMatching(/^[\w-]{40,}$/) })
  expect(printed.err).not.toContain(printed.out)
  const json = await logIn(sandbox, [...app, '--token-out', '-', '--json'])
  expect(JSON.parse(json.out)).toEqual({
    appKey: server.appKey,
    accountId: expect.stringMatching(/^dbid:/),
    refreshToken: expect.any(String),
  })
})

test('on a terminal the token is shown, ready for the configuration', async () => {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  const command = `${process.execPath} ${MAIN} dropbox login --app-key ${server.appKey} --api-url ${server.apiUrl()}`
  const child = execa('script', ['-qec', command, '/dev/null'], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    reject: false,
  })
  let shown = ''
  let asked = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    const page = /^ {2}(https:\S+)\r\n[^]*: $/m.exec(shown)?.[1]
    if (page === undefined || asked) return
    asked = true
    child.stdin.write(`${server.tokens.authorize(page)}\n`)
  })
  expect((await child).exitCode).toBe(0)
  const token = /appKey: app-key, refreshToken: ([\w-]{40,}) }/.exec(shown)?.[1] ?? ''
  expect(server.tokens.accessFor(token)).toMatch(/^sl\./)
})

test('a login that can not be meant, or goes wrong, is one clear line, and makes nothing', async () => {
  const { sandbox } = setting()
  const wrong = await logIn(sandbox, [], () => 'no-such-code')
  expect(wrong).toMatchObject({ code: 1, out: '' })
  expect(wrong.err).toContain('the code is not valid, too old, or of another login')
  const otherApp = await logIn(
    sandbox,
    ['--app-key', 'other', '--api-url', server.apiUrl(), '--token-out', 'x'],
    () => 'code',
  )
  expect(otherApp).toMatchObject({ code: 1, err: expect.stringContaining('does not know this app') })
  const refusals: readonly (readonly [args: string[], said: string])[] = [
    [['--app-key', 'a'], 'standard output is no terminal'],
    [['--app-key', 'a b', '--token-out', 'x'], 'appKey is empty, or has spaces'],
    [['--app-key', 'a', '--token-out', 'x', '--api-url', 'http://example.com'], 'begins with https://'],
    [['--app-key', 'a', '--sink', 'box'], 'give one of them'],
    [['--sink', 'other'], 'the configuration has box'],
    [['--token-out', 'pipe-backup.json'], 'is there already'],
  ]
  for (const [args, said] of refusals) {
    const { code, err } = await sandbox.run(['dropbox', 'login', ...args])
    expect({ args, code, err }).toEqual({ args, code: 2, err: expect.stringContaining(said) })
  }
  const silent = await sandbox.run(['dropbox', 'login'])
  expect(silent).toMatchObject({ code: 1, err: expect.stringContaining('no code was given') })
  expect(() => statSync(sandbox.path('token'))).toThrow('ENOENT')
})

test('SIGINT ends a login that waits for its code', async () => {
  const { sandbox } = setting()
  const child = execa(process.execPath, [MAIN, 'dropbox', 'login'], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    reject: false,
  })
  child.stderr.once('data', () => child.kill('SIGINT'))
  expect((await child).exitCode).toBe(130)
})

test.for([
  ['a login that was withdrawn', {}, 1, ['was withdrawn', 'pipe-backup dropbox login']],
  ['no login yet', { refreshToken: { file: 'none' } }, 2, ["secret's file can't be read: ENOENT"]],
  ['no token', { refreshToken: undefined }, 2, ['sink "box": dropbox: refreshToken is missing']],
  ['the key of another app', { appKey: 'other' }, 1, ['does not know this app', '`appKey`']],
  ['a path that leads up', { path: '../x' }, 2, ['path can\'t have ".." in it']],
] as const)(
  '%s: init says so in one line that names the sink, with the repair',
  async ([, options, code, said]) => {
    const { sandbox } = setting(options)
    const token = server.tokens.grant()
    writeFileSync(sandbox.path('token'), token, { mode: 0o600 })
    if (said[0] === 'was withdrawn') server.tokens.revoke()
    const ran = await sandbox.run(['init', '--phrase-out', 'phrase'])
    expect(ran.code).toBe(code)
    for (const text of said) expect(ran.err).toContain(text)
    expect(ran.err).not.toContain(token)
    expect(ran.err).not.toContain('bug in pipe-backup')
  },
)
