import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EntrySpec, MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { diffSnapshots } from './diff-snapshots.ts'

let vault: TestVault
beforeEach(async () => {
  vault = await TestVault.create()
})
afterEach(() => vault[Symbol.dispose]())

/** Lines such as `+ tree/a`, `M tree/b content mtime`. */
async function diff(first = 'latest~1', second = 'latest'): Promise<string[]> {
  const snapshots = await vault.snapshots()
  const [before, after] = [first, second].map((spec) => snapshots.at(spec === 'latest' ? -1 : -2))
  if (!before || !after) throw new Error('the test has no two snapshots')
  const lines: string[] = []
  for await (const one of diffSnapshots({ sinks: vault.sinks, keys: vault.keys, before, after })) {
    const sign = { added: '+', removed: '-', changed: 'M' }[one.kind]
    const { path } = one.kind === 'removed' ? one.before : one.after
    lines.push([sign, Buffer.from(path), ...(one.kind === 'changed' ? one.parts : [])].join(' '))
  }
  return lines
}

async function diffOf(
  before: Readonly<Record<string, EntrySpec>>,
  after: Readonly<Record<string, EntrySpec>>,
): Promise<string[]> {
  await vault.run([new MemorySource('tree', before)])
  await vault.run([new MemorySource('tree', after)])
  return diff()
}

const at = (text: string, mtime = 1n, mode = 0o644) => ({ bytes: Buffer.from(text), mode, mtimeNs: mtime })

test('what was added, removed and changed is listed, and what did not change is not', async () => {
  const same = at('same')
  expect(
    await diffOf(
      { a: same, gone: at('x'), longer: at('x'), other: at('abc'), kind: at('x'), mode: at('m') },
      {
        a: same,
        longer: at('xx', 2n),
        new: at('n'),
        other: at('abd', 2n),
        kind: { type: 'symlink', target: 'a' },
        mode: at('m', 1n, 0o600),
      },
    ),
  ).toEqual([
    '- tree/gone',
    expect.stringMatching(/^M tree\/kind type/),
    'M tree/longer content mtime',
    'M tree/mode mode',
    '+ tree/new',
    'M tree/other content mtime',
  ])
})

test('a file that was stored again with the same bytes has the same content', async () => {
  const large = randomBytes(5_000_000)
  await vault.run([
    new MemorySource('tree', { small: at('small'), z: at('z'), large: { bytes: large, mtimeNs: 1n } }),
  ])
  await vault.run([
    new MemorySource('tree', { a: at('new'), small: at('small', 2n), large: { bytes: large, mtimeNs: 2n } }),
  ])
  expect(await diff()).toEqual(['+ tree/a', 'M tree/large mtime', 'M tree/small mtime', '- tree/z'])
})

test('one byte in a large file of the same size is a change of its content', async () => {
  const before = randomBytes(5_000_000)
  const after = Buffer.from(before)
  after[4_000_000] = (after[4_000_000] ?? 0) ^ 1
  expect(await diffOf({ f: { bytes: before, mtimeNs: 1n } }, { f: { bytes: after, mtimeNs: 2n } })).toEqual([
    'M tree/f content mtime',
  ])
})

test('links and devices that point elsewhere are changed, names of one file are not', async () => {
  const device = { type: 'character-device', major: 1 } as const
  const lines = await diffOf(
    {
      a: at('two names'),
      b: { type: 'hardlink', linkTo: 'a' },
      c: { type: 'hardlink', linkTo: 'a' },
      dev: { ...device, minor: 3 },
      link: { type: 'symlink', target: 'a' },
    },
    {
      b: at('two names'),
      c: { type: 'hardlink', linkTo: 'b' },
      dev: { ...device, minor: 5 },
      link: { type: 'symlink', target: 'b' },
    },
  )
  expect(lines.filter((line) => / content| type|^-/.test(line)).map((line) => line.split(' ', 3))).toEqual([
    ['-', 'tree/a'],
    ['M', 'tree/dev', 'content'],
    ['M', 'tree/link', 'content'],
  ])
})

test('a source in one alone is added or removed, one that failed is passed over', async () => {
  const failing = new MemorySource('bad', { a: at('a') })
  await vault.run([new MemorySource('tree', { a: at('a') }), failing])
  failing.beforeEntry = () => {
    throw Object.assign(new Error('no'), { name: 'SourceError', code: 'command-failed' })
  }
  await vault.run([failing, new MemorySource('words', { b: at('b') })])
  expect(await diff()).toEqual(['- tree/a', '+ words/b'])
})

test('snapshots of one and the same tree are compared without a look at it', async () => {
  const source = new MemorySource('tree', { a: at('a') })
  await vault.run([source])
  await vault.run([source])
  const touched: string[] = []
  for (const sink of vault.sinks) sink.before = (_operation, key) => void touched.push(key)
  expect(await diff()).toEqual([])
  expect(touched.filter((key) => key.startsWith('packs/'))).toEqual([])
})
