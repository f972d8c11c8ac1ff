import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EntrySpec, FileSpec } from '../test-support/memory-source.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

/** Bytes that don't compress, the same for the same seed. */
function noise(seed: string, bytes: number): Buffer {
  const blocks: Buffer[] = []
  for (let i = 0; i * 32 < bytes; i++) blocks.push(createHash('sha256').update(`${seed} ${i}`).digest())
  return Buffer.concat(blocks).subarray(0, bytes)
}

test('every type of entry comes back with all that is known of it', async () => {
  using vault = await TestVault.create()
  const tree: Record<string, EntrySpec> = {
    d: { type: 'directory' },
    'd/before 1970': { bytes: Buffer.from('old'), mtimeNs: -1_234_567_890_123_456_789n, mode: 0o4755 },
    'd/sparse': { bytes: Buffer.alloc(300_000), sparse: true },
    'd/zero': '',
    'd.x': 'sorts between d and d/, by bytes alone',
    'd/é🦊 "\n': 'odd',
    fifo: { type: 'fifo' },
    first: 'two names',
    link: { type: 'symlink', target: '/no/such/place' },
    second: { type: 'hardlink', linkTo: 'first' },
    tty: { type: 'character-device', major: 4, minor: 64 },
    disk: { type: 'block-device', major: 8, minor: 300_000 },
  }
  const source = new MemorySource('tree', tree)
  expect(await vault.run([source])).toMatchObject({
    exitCode: 0,
    copies: 1,
    sources: [{ entries: 12, problems: 0 }],
  })
  const restored = [...(await vault.read())].map(([path, { entry, bytes }]) => {
    const { path: _path, mtimeNs: _mtime, ...rest } = entry
    return [path, 'open' in rest ? { ...rest, open: undefined, bytes } : rest] as const
  })
  const metadata = { mode: 0o640, uid: 1000, gid: 100, user: 'ada', group: '' }
  const file = { type: 'file', ...metadata, sparse: false, unsteady: false, open: undefined }
  const text = (value: string) => ({ ...file, size: Buffer.byteLength(value), bytes: Buffer.from(value) })
  expect(Object.fromEntries(restored)).toEqual({
    'tree/d': { type: 'directory', ...metadata },
    'tree/d/before 1970': { ...text('old'), mode: 0o4755 },
    'tree/d/sparse': { ...file, size: 300_000, bytes: Buffer.alloc(300_000), sparse: true },
    'tree/d/zero': text(''),
    'tree/d.x': text('sorts between d and d/, by bytes alone'),
    'tree/d/é🦊 "\n': text('odd'),
    'tree/fifo': { type: 'fifo', ...metadata },
    'tree/first': text('two names'),
    'tree/link': { type: 'symlink', ...metadata, mode: 0o777, target: Buffer.from('/no/such/place') },
    'tree/second': { type: 'hardlink', ...metadata, linkTo: Buffer.from('tree/first') },
    'tree/tty': { type: 'character-device', ...metadata, major: 4, minor: 64 },
    'tree/disk': { type: 'block-device', ...metadata, major: 8, minor: 300_000 },
  })
  expect((await vault.read()).get('tree/d/before 1970')?.entry.mtimeNs).toBe(-1_234_567_890_123_456_789n)
  expect([...(await vault.read()).keys()].slice(0, 3)).toEqual([
    'tree/d',
    'tree/d/before 1970',
    'tree/d/sparse',
  ])
})

test('an empty source is a snapshot of nothing', async () => {
  using vault = await TestVault.create()
  expect(await vault.run([new MemorySource('tree', {})])).toMatchObject({
    exitCode: 0,
    sources: [{ entries: 0 }],
  })
  expect(await vault.texts()).toEqual({})
  await expect(vault.read(vault.sinks, 'latest', { paths: ['tree/a'] })).rejects.toMatchObject({
    code: 'not-found',
  })
})

test('unchanged files are not opened; a changed one goes to a new bundle, and its neighbours stay in theirs', async () => {
  using vault = await TestVault.create()
  const tree = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, `content of file ${i}`]))
  const source = new MemorySource('tree', { ...tree, large: noise('large', 3_000_000) })
  await vault.run([source])
  expect(source.opened).toHaveLength(51)
  source.opened.length = 0
  const second = await vault.run([source])
  expect(source.opened).toEqual([])
  expect(second).toMatchObject({
    exitCode: 0,
    bytesStored: 0,
    sources: [{ bytesRead: 0, bytesNew: 0, entries: 51 }],
  })
  source.set('f17', 'another content')
  const third = await vault.run([source])
  expect(source.opened).toEqual(['f17'])
  // The file itself, and the manifest: 50 entries are one leaf of some kilobytes.
  expect(third.sources[0]?.bytesNew).toBeLessThan(10_000)
  const now = await vault.texts()
  expect(now['tree/f17']).toBe('another content')
  expect(now['tree/f18']).toBe('content of file 18')
  expect((await vault.texts(vault.sinks, 'latest~1'))['tree/f17']).toBe('content of file 17')
})

test('a file that was touched but has the same bytes is read, and stored once', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', { large: noise('large', 3_000_000) })
  await vault.run([source])
  source.set('large', noise('large', 3_000_000))
  const again = await vault.run([source])
  expect(again.sources[0]?.bytesRead).toBe(3_000_000)
  expect(again.sources[0]?.bytesNew).toBeLessThan(1000)
})

test('a bundle that is less than half live is left behind: what lives in it is stored again', async () => {
  using vault = await TestVault.create()
  const files = Array.from(
    { length: 20 },
    (_, i) => [`f${String(i).padStart(2, '0')}`, noise(`${i}`, 10_000)] as const,
  )
  const source = new MemorySource('tree', Object.fromEntries(files))
  await vault.run([source])
  const firstPacks = new Set(vault.sink('one').keys('packs/'))
  for (const [name] of files.slice(6)) source.remove(name)
  await vault.run([source])
  source.opened.length = 0
  await vault.run([source])
  expect(source.opened).toEqual(files.slice(0, 6).map(([name]) => name))
  const [latest] = (await vault.snapshots()).slice(-1)
  expect(latest?.head.packs.filter(([name]) => firstPacks.has(`packs/${name.slice(0, 2)}/${name}`))).toEqual(
    [],
  )
  source.opened.length = 0
  await vault.run([source])
  expect(source.opened).toEqual([])
  const restored = await vault.read()
  for (const [name, bytes] of files.slice(0, 6))
    expect(restored.get(`tree/${name}`)?.bytes?.equals(bytes)).toBe(true)
})

test('a hard link alone is restored as a file; one whose file could not be read does not end the rest', async () => {
  using vault = await TestVault.create()
  const broken: FileSpec = {
    bytes: Buffer.from('x'),
    failAt: {
      bytes: 0,
      error: Object.assign(new Error('I/O error'), { name: 'SourceError', code: 'unreadable' }),
    },
  }
  const source = new MemorySource('tree', {
    a: 'content',
    b: broken,
    'd/link': { type: 'hardlink', linkTo: 'a' },
    'd/to nothing': { type: 'hardlink', linkTo: 'b' },
    'd/z': 'the rest',
  })
  const report = await vault.run([source])
  expect(report).toMatchObject({ exitCode: 3, sources: [{ state: 'incomplete', problems: 1 }] })
  expect(vault.problems).toEqual([expect.objectContaining({ code: 'unreadable', path: 'b', source: 'tree' })])
  const part = await vault.read(vault.sinks, 'latest', { paths: ['tree/d'] })
  expect(part.get('tree/d/link')?.bytes?.toString()).toBe('content')
  expect(part.get('tree/d/to nothing')?.entry).toMatchObject({ type: 'hardlink' })
  expect(part.get('tree/d/z')?.bytes?.toString()).toBe('the rest')
})

test('a file is read again while it does not hold still, three times at most, and marked', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', {
    'settles small': { bytes: Buffer.from('small'), steady: [false, false, true] },
    'settles large': { bytes: noise('settles', 2_000_000), steady: [false, true] },
    'never small': { bytes: Buffer.from('restless'), steady: [false, false, false, true] },
    'never large': { bytes: noise('restless', 2_000_000), steady: [false, false, false, true] },
    neighbour: 'still',
  })
  const report = await vault.run([source])
  expect(report.sources[0]).toMatchObject({ state: 'incomplete', problems: 2 })
  expect(vault.problems.map(({ code, path }) => `${code} ${path}`)).toEqual([
    'changed never large',
    'changed never small',
  ])
  expect(source.opened).toEqual([
    'neighbour',
    ...Array(3).fill('never large'),
    ...Array(3).fill('never small'),
    ...Array(2).fill('settles large'),
    ...Array(3).fill('settles small'),
  ])
  const restored = await vault.read()
  const unsteady = [...restored].filter(([, { entry }]) => entry.type === 'file' && entry.unsteady)
  expect(unsteady.map(([path]) => path)).toEqual(['tree/never large', 'tree/never small'])
  expect(restored.get('tree/settles small')?.bytes?.toString()).toBe('small')
  expect(restored.get('tree/settles large')?.bytes?.equals(noise('settles', 2_000_000))).toBe(true)
  source.opened.length = 0
  await vault.run([source])
  expect(source.opened).not.toContain('settles large')
})

test('a source that must settle is read again until nothing changed, as often as it says', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', { a: 'first' }, 3)
  let walks = 0
  source.beforeEntry = () => {
    walks++
    if (walks <= 2) source.set('b', `pass ${walks}`)
  }
  expect((await vault.run([source])).sources[0]).toMatchObject({ state: 'ok' })
  expect(await vault.texts()).toEqual({ 'tree/a': 'first', 'tree/b': 'pass 2' })
  source.beforeEntry = () => source.set('b', `pass ${walks++}`)
  expect((await vault.run([source])).sources[0]).toMatchObject({ state: 'incomplete' })
  expect(vault.problems).toEqual([expect.objectContaining({ code: 'changed', source: 'tree' })])
})

const sizes = fc.oneof(
  fc.constantFrom(
    0,
    1,
    131_071,
    131_072,
    131_073,
    4_194_303,
    4_194_304,
    4_194_305,
    8_388_608,
    8_388_609,
    9_000_000,
  ),
  fc.nat(300_000),
)

test('bytes of unknown number, in pieces of any size, come back; so do files that grew or shrank since they were listed', async () => {
  using vault = await TestVault.create()
  let trees = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ size: sizes, pieceBytes: fc.integer({ min: 1, max: 2_000_000 }), kind: fc.nat(3) }),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      async (specs) => {
        const all = randomBytes(9_000_000)
        const files = specs.map(({ size, pieceBytes, kind }, i) => {
          const bytes = all.subarray(0, size)
          const least = Math.max(pieceBytes, Math.ceil(size / 2000))
          const how =
            [{ unknownSize: true }, { sizeThen: 0 }, { sizeThen: size * 2 }, { sizeThen: 5_000_000 }][kind] ??
            {}
          return [`f${i}`, { bytes, pieceBytes: least, ...how }] as const
        })
        // A name of its own for each: another one's file of this path must not be taken for an older version.
        const name = `tree ${trees++}`
        await vault.run([new MemorySource(name, Object.fromEntries(files))])
        const restored = await vault.read()
        for (const [path, { bytes }] of files) {
          const { entry, bytes: got } = restored.get(`${name}/${path}`) ?? {}
          expect([path, entry?.type === 'file' && entry.size, got?.equals(bytes)]).toEqual([
            path,
            bytes.length,
            true,
          ])
        }
      },
    ),
    { numRuns: 8 },
  )
})

test('what is the same in two places is stored once', async () => {
  using vault = await TestVault.create()
  const bytes = noise('twice', 3_000_000)
  const report = await vault.run([
    new MemorySource('tree', { a: bytes, b: bytes }),
    new MemorySource('other', { c: bytes }),
  ])
  expect(report.sources.reduce((sum, { bytesNew }) => sum + bytesNew, 0)).toBeLessThan(3_010_000)
  for (const entry of (await vault.read()).values()) expect(entry.bytes?.equals(bytes)).toBe(true)
})
