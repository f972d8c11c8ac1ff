import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EntrySpec, MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { type HistoryOptions, pathHistory } from './path-history.ts'

let vault: TestVault
beforeEach(async () => {
  vault = await TestVault.create()
})
afterEach(() => vault[Symbol.dispose]())

async function history(path: string, options: Partial<HistoryOptions> = {}) {
  const snapshots = await vault.snapshots()
  const { sinks, keys } = vault
  const ids = snapshots.map(({ id }) => id)
  const hosts = await pathHistory({ sinks, keys, snapshots, path: Buffer.from(path), ...options })
  return hosts.map(({ host, versions }) => ({
    host,
    versions: versions.map((version) => {
      const numbers = version.snapshots.map(({ id }) => ids.indexOf(id)).join(',')
      if (version.change === 'removed') return `removed${version.isCertain ? '' : '?'} ${numbers}`
      const { change, parts, entry } = version
      const size = entry?.type === 'file' ? entry.size : entry?.type
      return [change, ...parts, size, numbers].join(' ')
    }),
  }))
}

const versionsOf = async (path: string) => (await history(path)).flatMap(({ versions }) => versions)

const backUp = (tree: Readonly<Record<string, EntrySpec>>) => vault.run([new MemorySource('tree', tree)])

const at = (text: string, mtimeNs = 1n, mode = 0o644) => ({ bytes: Buffer.from(text), mode, mtimeNs })

test('a path is followed from its first snapshot to its removal and back, and what stays the same is one version', async () => {
  await backUp({ other: at('x') })
  await backUp({ other: at('x'), d: { type: 'directory' }, 'd/f': at('one') })
  await backUp({ other: at('y', 2n), d: { type: 'directory' }, 'd/f': at('one') })
  await backUp({ d: { type: 'directory' }, 'd/f': at('three', 3n) })
  await backUp({ d: { type: 'directory' }, 'd/f': at('three', 3n, 0o600) })
  await backUp({ d: { type: 'symlink', target: 'elsewhere' } })
  await backUp({ 'd/f': { type: 'symlink', target: 'g' } })
  await backUp({ 'd/f': { type: 'symlink', target: 'h' } })
  expect(await versionsOf('tree/d/f')).toEqual([
    'added 3 1,2',
    'changed content mtime 5 3',
    'changed mode 5 4',
    'removed 5',
    'added symlink 6',
    expect.stringMatching(/^changed content .*symlink 7$/),
  ])
  expect(await versionsOf('tree/d')).toEqual([
    'added directory 1,2,3,4',
    expect.stringMatching(/^changed type .*symlink 5$/),
    // Nothing says more of it than that something is in it.
    'changed type  6,7',
  ])
  expect(await versionsOf('tree')).toEqual(['first  0,1,2,3,4,5,6,7'])
})

test('content that was stored again is the same, one byte of it is not, and data is read no further than that', async () => {
  const large = randomBytes(3_000_000)
  const changed = Buffer.from(large)
  changed[2_900_000] = (changed[2_900_000] ?? 0) ^ 1
  await backUp({ a: at('small'), large: { bytes: large, mtimeNs: 1n } })
  await backUp({ '0': at('new'), a: at('small', 2n), large: { bytes: large, mtimeNs: 1n } })
  await backUp({ '0': at('new'), a: at('small', 2n), large: { bytes: changed, mtimeNs: 3n } })
  expect(await versionsOf('tree/a')).toEqual(['first 5 0', 'changed mtime 5 1,2'])
  expect(await versionsOf('tree/large')).toEqual(['first 3000000 0,1', 'changed content mtime 3000000 2'])
})

test('a second name of a file is that file, also where its file alone was changed', async () => {
  const link = { type: 'hardlink', linkTo: 'a', mtimeNs: 1n } as const
  await backUp({ a: at('one'), b: link })
  await backUp({ a: at('longer'), b: link })
  await backUp({ b: at('longer') })
  const versions = await versionsOf('tree/b')
  expect(versions).toHaveLength(2)
  expect(versions[0]).toBe('first 3 0')
  expect(versions[1]).toMatch(/^changed content .*6 1,2$/)
})

test('snapshots without the source, and those in which it failed, are no removal; an incomplete source makes none certain', async () => {
  const source = new MemorySource('tree', { f: at('f'), g: at('g') })
  const fail = (code: string) => () => {
    throw Object.assign(new Error('no'), { name: 'SourceError', code })
  }
  await vault.run([source])
  await vault.run([new MemorySource('other', { x: at('x') })])
  const failing = new MemorySource('tree', { f: at('f') })
  failing.beforeEntry = fail('command-failed')
  await vault.run([new MemorySource('other', { x: at('x') }), failing])
  await vault.run([source])
  const error = Object.assign(new Error('no'), { name: 'SourceError', code: 'unreadable' })
  source.set('f', { ...at('f', 9n), failAt: { bytes: 0, error } })
  await vault.run([source])
  source.remove('f')
  await vault.run([new MemorySource('tree', { g: at('g') })])
  const sources = (await vault.snapshots()).map((one) =>
    one.sources.map(({ name, state }) => `${name} ${state}`),
  )
  expect(sources.slice(2, 5)).toEqual([
    expect.arrayContaining(['tree failed']),
    ['tree ok'],
    ['tree incomplete'],
  ])
  expect(await versionsOf('tree/f')).toEqual(['first 1 0,3', 'removed 4,5'])
  const until = (await vault.snapshots()).slice(0, 5)
  const [host] = await history('tree/f', { snapshots: until })
  expect(host?.versions.at(-1)).toBe('removed? 4')
})

test('each host has its own history, and one that never had the path has none', async () => {
  using other = vault.anotherHost()
  using third = vault.anotherHost()
  await vault.run([new MemorySource('tree', { f: at('ours') })], { hostName: 'ours' })
  await other.run([new MemorySource('tree', { f: at('of another') })], { hostName: 'theirs' })
  await third.run([new MemorySource('tree', { g: at('g') })], { hostName: 'third' })
  await vault.run([new MemorySource('tree', { f: at('ours') })], { hostName: 'ours' })
  await other.run([new MemorySource('tree', { g: at('g') })], { hostName: 'theirs' })
  expect(await history('tree/f')).toEqual([
    { host: 'ours', versions: ['first 4 0,3'] },
    { host: 'theirs', versions: ['first 10 1', 'removed 4'] },
  ])
})

test('what no snapshot has is refused, with the nearest directory that is there', async () => {
  await backUp({ 'home/bot/.qrl/wallet.json': at('w'), 'home/botany': at('b') })
  await backUp({ 'home/ada/x': at('x') })
  const refusal = (path: string) =>
    expect(history(path)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('none of 2 snapshots'),
    })
  await refusal('tree/home/bot/.qrl/wallet')
  await expect(history('tree/home/bot/.qrl/wallet')).rejects.toThrow(
    /what is there of it is tree\/home\/bot\/\.qrl$/,
  )
  await expect(history('tree/home/bo/x')).rejects.toThrow(/what is there of it is tree\/home$/)
  await expect(history('tree/home/ada/x/y')).rejects.toThrow(/what is there of it is tree\/home\/ada\/x$/)
  await expect(history('tree/srv')).rejects.toThrow(/what is there of it is tree$/)
  await expect(history('nothing/x')).rejects.toMatchObject({
    code: 'not-found',
    hint: expect.stringContaining(': tree.'),
  })
})

/** Enough that a manifest has several levels. */
const wide = (count: number): Record<string, EntrySpec> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`d${i % 50}/file-${i}`, at(`${i}`)]))

test('a path is found in every leaf of a large manifest, and what snapshots share of it is read once', async () => {
  const tree = wide(6000)
  for (let i = 0; i < 6; i++) await backUp({ ...tree, 'zz/changes': at(`${i}`, BigInt(i)) })
  expect(await versionsOf('tree/d7/file-7')).toEqual(['first 1 0,1,2,3,4,5'])
  expect(await versionsOf('tree/d49/file-5999')).toEqual(['first 4 0,1,2,3,4,5'])
  expect(await versionsOf('tree/zz/changes')).toHaveLength(6)
  expect(await versionsOf('tree/d23')).toEqual(['first  0,1,2,3,4,5'])
  await expect(history('tree/d23/file-24')).rejects.toThrow(/what is there of it is tree\/d23$/)
  const counting = async (snapshots: number, path: string): Promise<number> => {
    let reads = 0
    for (const sink of vault.sinks)
      sink.before = (_operation, key) => {
        if (key.startsWith('packs/')) reads++
      }
    const some = (await vault.snapshots()).slice(0, snapshots)
    await history(path, { snapshots: some })
    return reads
  }
  const [one, all] = [await counting(1, 'tree/d7/file-7'), await counting(6, 'tree/d7/file-7')]
  // Each of the five others has a root of its own: what leads to the path below it is the same.
  expect(all - one).toBeLessThanOrEqual(2 * 5)
  expect(one).toBeGreaterThan(0)
})

test('a manifest that no sink has whole is named, and the others are compared all the same', async () => {
  await backUp({ f: at('one') })
  const packs = new Set((await vault.snapshots()).flatMap(({ head }) => head.packs.map(([name]) => name)))
  await backUp({ f: at('three', 3n) })
  const [, second] = await vault.snapshots()
  for (const [name] of second?.head.packs ?? [])
    if (!packs.has(name)) await vault.sink('one').delete(`packs/${name.slice(0, 2)}/${name}`)
  const unread: number[] = []
  const hosts = await history('tree/f', { onUnreadable: (_error, which) => void unread.push(which.length) })
  expect([hosts.flatMap(({ versions }) => versions), unread]).toEqual([['first 3 0'], [1]])
  await expect(history('tree/f')).rejects.toMatchObject({ code: 'missing' })
})

test('contents that can be compared no more are two versions, with a warning', async () => {
  await backUp({ f: at('one') })
  await backUp({ f: at('two', 2n), g: at('g') })
  const [sink, snapshots] = [vault.sink('one'), await vault.snapshots()]
  const read = new Set<string>()
  sink.before = (_operation, key) => void read.add(key)
  for (const snapshot of snapshots) await history('tree/f', { snapshots: [snapshot] })
  sink.before = undefined
  // What these did not read are the packs of data.
  for (const [name] of snapshots.flatMap(({ head }) => head.packs)) {
    const key = `packs/${name.slice(0, 2)}/${name}`
    if (!read.has(key)) await sink.delete(key)
  }
  const problems: string[] = []
  const hosts = await history('tree/f', { onProblem: ({ message }) => void problems.push(message) })
  expect(hosts.flatMap(({ versions }) => versions)).toEqual(['first 3 0', 'changed content 3 1'])
  expect(problems.length).toBeGreaterThan(0)
})
