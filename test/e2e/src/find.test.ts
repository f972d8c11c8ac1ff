import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()
const tree = sandbox.path('tree')
const phrase = ['--phrase-file', 'phrase']
const ids: string[] = []

const NOT_UTF8 = Buffer.concat([Buffer.from(`${tree}/latin-`), Buffer.from([0xe9, 0xff])])

async function backUp(): Promise<void> {
  const report = JSON.parse((await sandbox.ok(['run', '--json'])).toString().trim().split('\n').at(-1) ?? '')
  ids.push(report.snapshot)
}

beforeAll(async () => {
  mkdirSync(`${tree}/d`, { recursive: true })
  for (let i = 0; i < 3000; i++) writeFileSync(`${tree}/d/file-${i}.dat`, `number ${i}`)
  writeFileSync(`${tree}/wallet.json`, 'first')
  writeFileSync(`${tree}/moved`, 'the same all the time')
  writeFileSync(NOT_UTF8, 'name that is not UTF-8')
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [tree] },
      { type: 'command', name: 'words', run: ['echo', 'hello'], path: 'said/wallet.json' },
    ],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await backUp()
  writeFileSync(`${tree}/wallet.json`, 'and the second')
  await backUp()
  renameSync(`${tree}/moved`, `${tree}/d/renamed`)
  rmSync(`${tree}/d/file-7.dat`)
  await backUp()
  chmodSync(`${tree}/wallet.json`, 0o600)
  await backUp()
})
afterAll(() => sandbox[Symbol.dispose]())

interface Found {
  readonly path: string
  readonly pathBase64?: string
  readonly type: string
  readonly size?: number
  readonly mode: string
  readonly snapshots: readonly string[]
}

async function find(...args: string[]): Promise<Found[]> {
  const out = await sandbox.ok(['find', ...args, ...phrase, '--json'])
  return out
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const at = (...numbers: number[]) => numbers.map((number) => ids[number])

test('a name is found in every source, each state with the snapshots that have it so', async () => {
  const found = await find('wallet.json')
  const inTree = found.filter(({ path }) => path === `tree${tree}/wallet.json`)
  expect(inTree.map(({ size, mode, snapshots }) => [size, mode, snapshots])).toEqual([
    [5, '0644', at(0)],
    [14, '0644', at(1, 2)],
    [14, '0600', at(3)],
  ])
  const said = found.filter(({ path }) => path === 'words/said/wallet.json')
  expect(said.flatMap(({ snapshots }) => snapshots).sort()).toEqual(ids.toSorted())
  expect(found).toHaveLength(inTree.length + said.length)
})

test('what was renamed or removed is found in the snapshots that have it', async () => {
  expect((await find('moved')).map(({ snapshots }) => snapshots)).toEqual([at(0, 1)])
  expect((await find('renamed')).map(({ snapshots }) => snapshots)).toEqual([at(2, 3)])
  expect((await find(`tree${tree}/d/file-[67].dat`)).map(({ snapshots }) => snapshots.length)).toEqual([4, 2])
})

test('thousands of entries are found, in order, once each', async () => {
  const paths = (await find(`${tree}/d/*.dat`)).map(({ path }) => path)
  expect(paths).toEqual(Array.from({ length: 3000 }, (_, i) => `tree${tree}/d/file-${i}.dat`).sort())
})

test('a name that is no UTF-8 is found as it is listed', async () => {
  const [found] = await find('latin-\\xe9\\xff')
  expect(
    Buffer.from(found?.pathBase64 ?? '', 'base64').equals(Buffer.concat([Buffer.from('tree'), NOT_UTF8])),
  ).toBe(true)
  const text = (await sandbox.ok(['find', 'latin-*', ...phrase])).toString()
  expect(text).toContain(`tree${tree}/latin-\\xe9\\xff\n    in ${ids[0]} (`)
  expect(text).toMatch(new RegExp(`to ${ids[3]} \\(.*\\): 4 snapshots\n$`))
})

test('one snapshot alone is searched, and a slash at the end means directories', async () => {
  expect((await find('wallet.json', '--snapshot', 'latest~2')).map(({ snapshots }) => snapshots)).toEqual([
    at(1),
    at(1),
  ])
  const directories = await find('d/', '--snapshot', 'latest')
  expect(directories.map(({ path, type }) => [path, type])).toEqual([[`tree${tree}/d`, 'directory']])
})

test('nothing found is said, and no failure', async () => {
  const { code, out, err } = await sandbox.run(['find', 'no-such-*', ...phrase])
  expect([code, out.length]).toEqual([0, 0])
  expect(err).toContain('nothing matches in 4 snapshots')
})

test('no pattern, an impossible one, and one without the phrase are refused', async () => {
  expect((await sandbox.run(['find'])).code).toBe(2)
  expect((await sandbox.run(['find', '../x', ...phrase])).code).toBe(2)
  const { code, err } = await sandbox.run(['find', 'x'])
  expect([code, err.includes('recovery phrase')]).toEqual([2, true])
})

test('what is damaged on one sink is found by the other; where it is nowhere the search says so and fails', async () => {
  const before = await find('wallet.json')
  const spoil = (sink: string) => {
    for (const shard of readdirSync(sandbox.path('sinks', sink, 'packs')))
      for (const pack of readdirSync(sandbox.path('sinks', sink, 'packs', shard))) {
        chmodSync(sandbox.path('sinks', sink, 'packs', shard, pack), 0o600)
        writeFileSync(sandbox.path('sinks', sink, 'packs', shard, pack), 'no pack')
      }
  }
  spoil('one')
  expect(await find('wallet.json')).toEqual(before)
  spoil('two')
  const { code, err } = await sandbox.run(['find', 'wallet.json', ...phrase])
  expect(code).toBe(1)
  expect(err).toContain(`a part of source "tree" can't be searched in`)
  expect(err).not.toMatch(/^\s+at /m)
})
