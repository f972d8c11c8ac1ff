import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { difference, Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()
const tree = sandbox.path('tree')

beforeAll(async () => {
  mkdirSync(tree)
  makeOddTree(tree)
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      { type: 'command', name: 'words', run: ['echo', 'hello'], path: 'said/hello.txt' },
    ],
    sinks: sandbox.sinks('one', 'two', 'three'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
})
afterAll(() => sandbox[Symbol.dispose]())

const phrase = ['--phrase-file', 'phrase']

test('the phrase is in a file that nobody else can read', () => {
  expect(lstatSync(sandbox.path('phrase')).mode & 0o777).toBe(0o600)
  expect(readFileSync(sandbox.path('phrase'), 'utf8').trim().split(/\s+/)).toHaveLength(24)
})

test('a tree of every oddity comes back as it was', async () => {
  await sandbox.ok(['restore', 'latest', ...phrase, '--to', 'restored'])
  expect(await difference(tree, sandbox.path('restored/tree', tree))).toBe('')
  expect(lstatSync(sandbox.path('restored/tree', tree, 'sparse')).blocks).toBeLessThan(1000)
  expect(readFileSync(sandbox.path('restored/words/said/hello.txt'), 'utf8')).toBe('hello\n')
})

test('the tar on standard output is one that GNU tar restores the same tree from', async () => {
  const tar = await sandbox.ok(['restore', 'latest', 'tree', ...phrase])
  mkdirSync(sandbox.path('untarred'))
  await execa('tar', ['-xpf', '-', '--numeric-owner'], { cwd: sandbox.path('untarred'), input: tar })
  expect(await difference(tree, sandbox.path('untarred/tree', tree))).toBe('')
})

test.for(['one', 'two', 'three'])(
  'sink %s alone, and the phrase, restore it on a machine that never saw the vault',
  async (sink) => {
    const config = sandbox.path(`only-${sink}.json`)
    writeFileSync(
      config,
      JSON.stringify({
        vault: 'sandbox',
        sources: [{ type: 'files', name: 'x', paths: ['/x'] }],
        sinks: sandbox.sinks(sink),
      }),
    )
    const machine = `elsewhere-${sink}`
    await sandbox.ok(['restore', 'latest', '--config', config, ...phrase, '--to', `from-${sink}`], {
      machine,
    })
    expect(await difference(tree, sandbox.path(`from-${sink}/tree`, tree))).toBe('')
    expect(
      (
        await sandbox.ok(['cat', 'latest', 'words/said/hello.txt', '--config', config, ...phrase], {
          machine,
        })
      ).toString(),
    ).toBe('hello\n')
  },
)

test('a path selects itself and all below it, and nothing beside it', async () => {
  await sandbox.ok([
    'restore',
    'latest',
    `tree${tree}/d/deep`,
    `tree${tree}/d/second-name`,
    ...phrase,
    '--to',
    'part',
  ])
  expect(await difference(`${tree}/d/deep`, sandbox.path('part/tree', tree, 'd/deep'))).toBe('')
  expect(existsSync(sandbox.path('part/tree', tree, 'd/many-1'))).toBe(false)
  expect(readFileSync(sandbox.path('part/tree', tree, 'd/second-name'), 'utf8')).toBe('small')
})

test('an unchanged run opens no file and sends next to nothing', async () => {
  const report = JSON.parse(
    (await sandbox.ok(['run', '--source', 'tree', '--json'])).toString().trim().split('\n').at(-1) ?? '',
  )
  expect(report).toMatchObject({
    exitCode: 0,
    copies: 3,
    sources: [{ name: 'tree', state: 'ok', bytesRead: 0, bytesNew: 0 }],
  })
  for (const sink of report.sinks) expect(sink.bytesSent).toBeLessThan(65_536)
})

test.for([
  ['ls', 'latest'],
  ['cat', 'latest', 'words/said/hello.txt'],
  ['restore', 'latest', '--to', 'refused'],
])('%s with the host key, without the phrase, refuses in one clear line', async (args) => {
  const { code, out, err } = await sandbox.run(args)
  expect(code).toBe(2)
  expect(out.length).toBe(0)
  expect(err).toContain('recovery phrase')
  expect(err).not.toMatch(/^\s+at /m)
})

test('another vault’s phrase is refused', async () => {
  writeFileSync(sandbox.path('wrong'), `${'abandon '.repeat(23)}art\n`)
  const { code, err } = await sandbox.run(['ls', 'latest', '--phrase-file', 'wrong'])
  expect(code).toBe(1)
  expect(err.trim().split('\n').length).toBeLessThanOrEqual(2)
})

test('local state that is lost costs time, and stores nothing twice', async () => {
  rmSync(sandbox.path('home/state'), { recursive: true })
  const report = JSON.parse(
    (await sandbox.ok(['run', '--source', 'tree', '--json'])).toString().trim().split('\n').at(-1) ?? '',
  )
  expect(report.sources[0].bytesRead).toBeGreaterThan(9_000_000)
  expect(report.bytesStored).toBeLessThan(65_536)
})
