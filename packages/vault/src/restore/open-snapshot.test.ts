import { SourceError } from '@pipe-backup/source'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { openSnapshot } from './open-snapshot.ts'

let vault: TestVault
beforeAll(async () => {
  vault = await TestVault.create()
  const broken = new MemorySource('broken', { a: 'x' })
  broken.beforeEntry = () => {
    throw new SourceError('command-failed', 'exited with 3')
  }
  await vault.run([
    new MemorySource('tree', {
      a: '1',
      d: { type: 'directory' },
      'd/b': '2',
      'd/b.txt': '3',
      'd/deep/c': '4',
      'd-': '5',
      link: { type: 'hardlink', linkTo: 'a' },
    }),
    new MemorySource('é', { a: '6' }),
    broken,
  ])
})
afterAll(() => vault[Symbol.dispose]())

const select = async (...paths: string[]) => [...(await vault.read(vault.sinks, 'latest', { paths })).keys()]

test.for<[string[], string[]]>([
  [['tree/d'], ['tree/d', 'tree/d/b', 'tree/d/b.txt', 'tree/d/deep/c']],
  [['/tree/d/'], ['tree/d', 'tree/d/b', 'tree/d/b.txt', 'tree/d/deep/c']],
  [['tree/d/b'], ['tree/d/b']],
  [['tree/d/deep'], ['tree/d/deep/c']],
  [
    ['tree/d-', 'tree/a'],
    ['tree/a', 'tree/d-'],
  ],
  [
    ['tree/d/b', 'tree/d/b', 'tree/d'],
    ['tree/d', 'tree/d/b', 'tree/d/b.txt', 'tree/d/deep/c'],
  ],
  [
    ['é', 'tree/a'],
    ['tree/a', 'é/a'],
  ],
  [
    ['tree/a', 'tree'],
    ['tree/a', 'tree/d', 'tree/d/b', 'tree/d/b.txt', 'tree/d/deep/c', 'tree/d-', 'tree/link'],
  ],
])('%j selects %j', async ([paths, expected]) => {
  expect(await select(...paths)).toEqual(expected)
})

test.for<[paths: string[] | undefined, isWanted: RegExp, expected: string[]]>([
  [['tree/d/deep'], /./, ['(tree/d)', 'tree/d/deep/c']],
  [['tree/d/b', 'tree/d/deep/c'], /./, ['(tree/d)', 'tree/d/b', 'tree/d/deep/c']],
  [['tree/d'], /./, ['tree/d', 'tree/d/b', 'tree/d/b.txt', 'tree/d/deep/c']],
  [undefined, /[ac]$/, ['tree/a', '(tree/d)', 'tree/d/deep/c', 'é/a']],
  [undefined, /x$/, []],
])(
  'with parents, of %j what is like %s comes after the directories that it is in',
  async ([paths, wanted, expected]) => {
    const [snapshot] = await vault.snapshots()
    if (!snapshot) throw new Error('no snapshot')
    await using reader = await openSnapshot({ sinks: vault.sinks, keys: vault.keys, snapshot })
    const entries = reader.entries(
      paths?.map((path) => Buffer.from(path)),
      (path) => wanted.test(Buffer.from(path).toString()),
      { parents: true },
    )
    const found = await Array.fromAsync(entries, (entry) => {
      const path = Buffer.from(entry.path).toString()
      return entry.type === 'directory' && entry.ifMissing ? `(${path})` : path
    })
    expect(found).toEqual(expected)
  },
)

test.for(['tree/x', 'tree/d/b/x', 'x', '', '/', 'a', 'tree/A'])(
  '%j is not found, and the hint says how paths begin',
  async (path) => {
    await expect(select('tree/a', path)).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining("begins with its source's name"),
    })
  },
)

test('a source that failed has nothing to select, and says why; the others are read without it', async () => {
  await expect(select('broken')).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('exited with 3'),
  })
  expect(await select()).toHaveLength(8)
})

test('entries can be read several times, and a file opened again', async () => {
  const [snapshot] = await vault.snapshots()
  if (!snapshot) throw new Error('no snapshot')
  await using reader = await openSnapshot({ sinks: vault.sinks, keys: vault.keys, snapshot })
  for (let pass = 0; pass < 2; pass++) {
    for await (const entry of reader.entries([Buffer.from('tree/a')])) {
      if (entry.type !== 'file') throw new Error('not a file')
      for (let opening = 0; opening < 2; opening++) {
        const file = await entry.open()
        const memory = Buffer.alloc(1)
        expect([await file.read(memory), memory.toString(), await file.read(memory)]).toEqual([1, '1', 0])
        expect(await file.finish()).toMatchObject({ steady: true })
        await file.close()
      }
    }
  }
})

test('an abort ends the reading with its reason', async () => {
  const [snapshot] = await vault.snapshots()
  if (!snapshot) throw new Error('no snapshot')
  const stop = new AbortController()
  const { signal } = stop
  await using reader = await openSnapshot({ sinks: vault.sinks, keys: vault.keys, snapshot, signal })
  const reading = async () => {
    for await (const entry of reader.entries()) if (entry.path.length > 0) stop.abort(new Error('enough'))
  }
  await expect(reading()).rejects.toThrow('enough')
})
