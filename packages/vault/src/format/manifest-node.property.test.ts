import { randomBytes } from 'node:crypto'
import { comparePaths } from '@pipe-backup/source'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outcomeOf } from '../test-support/outcome.ts'
import { ByteWriter } from './byte-writer.ts'
import { MAX_CHUNK_BYTES } from './chunk-codec.ts'
import { decodeExtentNode, decodeManifestNode } from './decode-manifest-node.ts'
import { encodeBranch, encodeExtentBranch, encodeExtentLeaf, LeafWriter } from './encode-manifest-node.ts'
import { Extents } from './extents.ts'
import { type ManifestEntry } from './manifest-node.ts'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
// Few ids, so that chunks are shared.
const ids = Array.from({ length: 6 }, () => Uint8Array.from(randomBytes(32)))
const chunkIdOf = fc.constantFrom(...ids)
const component = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0xff : byte)))
  .filter((bytes) => !['.', '..'].includes(Buffer.from(bytes).toString('latin1')))
const path = fc
  .array(component, { minLength: 1, maxLength: 5 })
  .map((parts) =>
    Uint8Array.from(
      Buffer.from(parts.map((part) => Buffer.from(part).toString('latin1')).join('/'), 'latin1'),
    ),
  )
const extent = fc.tuple(chunkIdOf, fc.nat(MAX_CHUNK_BYTES / 2), fc.nat(MAX_CHUNK_BYTES / 2))
const extentList = fc.array(extent, { maxLength: 20 })
const metadata = {
  path,
  mode: fc.nat(0o7777),
  uid: fc.maxSafeNat(),
  gid: fc.maxSafeNat(),
  user: fc.string({ unit: 'grapheme' }),
  group: fc.string({ unit: 'grapheme' }),
  mtimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
}
const attributes = fc
  .uniqueArray(
    fc.record({
      name: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((name) => name.map((byte) => byte || 1)),
      value: fc.uint8Array({ maxLength: 300 }),
    }),
    { maxLength: 4, selector: ({ name }) => Buffer.from(name).toString('latin1') },
  )
  .map((list) => list.toSorted((a, b) => Buffer.compare(a.name, b.name)))
type Plain = Record<string, unknown> & { path: Uint8Array }
const bare: fc.Arbitrary<Plain> = fc.oneof(
  fc.record({
    type: fc.constant('file'),
    ...metadata,
    size: fc.maxSafeNat(),
    sparse: fc.boolean(),
    unsteady: fc.boolean(),
    content: fc.oneof(fc.record({ extents: extentList }), fc.record({ treeRoot: chunkIdOf })),
  }),
  fc.record({ type: fc.constantFrom('directory', 'fifo'), ...metadata }),
  fc.record({ type: fc.constant('symlink'), ...metadata, target: fc.uint8Array() }),
  fc.record({ type: fc.constant('hardlink'), ...metadata, linkTo: path }),
  fc.record({
    type: fc.constantFrom('character-device', 'block-device'),
    ...metadata,
    major: fc.maxSafeNat(),
    minor: fc.maxSafeNat(),
  }),
)

const entry: fc.Arbitrary<Plain> = fc
  .tuple(bare, attributes)
  .map(([plain, list]) => (list.length === 0 ? plain : { ...plain, attributes: list }))

function toExtents(list: readonly (readonly [Uint8Array, number, number])[]): Extents {
  const extents = new Extents()
  for (const [id, offset, length] of list) extents.add(id, offset, length)
  return extents
}

function fromExtents(extents: Extents): [Uint8Array, number, number][] {
  return Array.from({ length: extents.count }, (_, i) => [
    Uint8Array.from(extents.id(i)),
    extents.offset(i),
    extents.length(i),
  ])
}

function encodeLeaf(entries: readonly Plain[]): Buffer {
  const writer = new LeafWriter()
  for (const plain of entries) {
    const { content } = plain as { content?: { extents?: [Uint8Array, number, number][] } }
    const full = content?.extents ? { ...plain, content: { extents: toExtents(content.extents) } } : plain
    writer.add(full as unknown as ManifestEntry)
  }
  return writer.take()
}

/** As it was written down: Buffers as Uint8Arrays, extents as lists. */
function toPlain(value: object): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([name, part]: [string, unknown]) => {
      if (part instanceof Extents) return [name, fromExtents(part)]
      if (Array.isArray(part)) return [name, part.map(toPlain)]
      if (part instanceof Uint8Array) return [name, Uint8Array.from(part)]
      return [name, typeof part === 'object' && part !== null ? toPlain(part) : part]
    }),
  )
}

/** As a writer gives them: in order, each path once. */
function inOrder<T>(items: readonly T[], pathOf: (item: T) => Uint8Array): T[] {
  const byPath = new Map(items.map((item) => [Buffer.from(pathOf(item)).toString('latin1'), item]))
  return [...byPath.values()].sort((a, b) => comparePaths(pathOf(a), pathOf(b)))
}

test('a leaf is read as it was written: any paths, any metadata, every type', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (any) => {
      const entries = inOrder(any, ({ path: at }) => at as Uint8Array)
      const node = decodeManifestNode(encodeLeaf(entries))
      expect(node.type === 'leaf' && node.entries.map(toPlain)).toEqual(entries)
    }),
    { numRuns: 300 },
  )
})

test('a writer that was used before writes what a new one does', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), fc.array(entry, { maxLength: 6 }), (first, second) => {
      const writer = new LeafWriter()
      const add = (plain: Plain) => {
        const { content } = plain as { content?: { extents?: [Uint8Array, number, number][] } }
        const full = content?.extents ? { ...plain, content: { extents: toExtents(content.extents) } } : plain
        writer.add(full as unknown as ManifestEntry)
      }
      for (const plain of first) add(plain)
      writer.take()
      for (const plain of second) add(plain)
      expect(writer.take()).toEqual(encodeLeaf(second))
    }),
  )
})

test.for([
  ['b', 'a'],
  ['a', 'a'],
  ['a-', 'a/b'],
])('a node with the paths %s, %s is corrupt: they come in order, each once', (paths) => {
  const [first = '', second = ''] = paths
  const entryAt = (at: string) => ({
    type: 'fifo',
    path: Buffer.from(at),
    mode: 0,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    mtimeNs: 0n,
  })
  const leaf = encodeLeaf([entryAt(first), entryAt(second)] as unknown as Plain[])
  expect(outcomeOf(() => decodeManifestNode(leaf))).toBe('corrupt')
  const id = new Uint8Array(32)
  const branch = encodeBranch(paths.map((at) => ({ firstPath: Buffer.from(at), id })))
  expect(outcomeOf(() => decodeManifestNode(branch))).toBe('corrupt')
})

test('branches and extent nodes are read as they were written', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ firstPath: path, id: bytesOf(32) }), { maxLength: 20 }),
      fc.array(fc.record({ bytes: fc.maxSafeNat(), id: bytesOf(32) }), { maxLength: 20 }),
      extentList,
      (any, extentChildren, extents) => {
        const children = inOrder(any, ({ firstPath }) => firstPath)
        const branch = decodeManifestNode(encodeBranch(children))
        expect(branch.type === 'branch' && branch.children.map(toPlain)).toEqual(children)
        const extentBranch = decodeExtentNode(encodeExtentBranch(extentChildren))
        expect(extentBranch.type === 'branch' && extentBranch.children.map(toPlain)).toEqual(extentChildren)
        const leaf = decodeExtentNode(encodeExtentLeaf(toExtents(extents)))
        expect(leaf.type === 'leaf' && fromExtents(leaf.extents)).toEqual(extents)
      },
    ),
  )
})

test('a node that was cut anywhere is corrupt', () => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 3 }), fc.nat(), (entries, cut) => {
      const node = encodeLeaf(entries)
      expect(outcomeOf(() => decodeManifestNode(node.subarray(0, cut % node.length)))).toBe('corrupt')
      expect(outcomeOf(() => decodeManifestNode(Buffer.concat([node, Buffer.of(0)])))).toBe('corrupt')
    }),
  )
})

test('a node of a hostile host is an answer or corrupt: never a raw error', () => {
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 3 }),
      fc.nat(),
      fc.uint8Array({ maxLength: 12 }),
      (entries, at, bytes) => {
        const node = encodeLeaf(entries)
        node.set(bytes.subarray(0, node.length - (at % node.length)), at % node.length)
        expect(['returned', 'corrupt']).toContain(outcomeOf(() => decodeManifestNode(node)))
        expect(['returned', 'corrupt']).toContain(
          outcomeOf(() => decodeExtentNode(Buffer.concat([Buffer.of(3), bytes]))),
        )
        expect(['returned', 'corrupt']).toContain(
          outcomeOf(() => decodeExtentNode(Buffer.concat([Buffer.of(4), bytes]))),
        )
      },
    ),
    { numRuns: 1000 },
  )
})

/** A leaf with one file whose path is all its own. */
function leafWith(write: (writer: ByteWriter) => void, chunkIds = 0): Buffer {
  const writer = new ByteWriter()
  writer.u8(1)
  writer.uvarint(chunkIds)
  writer.raw(Buffer.alloc(32 * chunkIds))
  writer.uvarint(1)
  write(writer)
  return writer.copy()
}

function startOfFile(writer: ByteWriter, name: Uint8Array, shared = 0): void {
  writer.uvarint(shared)
  writer.bytes(name)
  writer.u8(0)
  writer.u8(0)
  for (let i = 0; i < 7; i++) writer.uvarint(0)
}

test.for(['', '/', 'a//b', '/a', 'a/', '.', '..', 'a/../b', './a', 'a\0b'])(
  'the path %j is corrupt',
  (name) => {
    const node = leafWith((writer) => {
      startOfFile(writer, Buffer.from(name))
      writer.uvarint(0)
      writer.uvarint(0)
      writer.uvarint(0)
    })
    expect(outcomeOf(() => decodeManifestNode(node))).toBe('corrupt')
  },
)

test('extents that no chunk can have are corrupt', () => {
  for (const [number, offset, length] of [
    [1, 0, 1],
    [0, 2 ** 32, 1],
    [0, 0, 2 ** 32],
    [0, MAX_CHUNK_BYTES, 1],
    [0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ] as const) {
    const extents = (writer: ByteWriter) => {
      writer.uvarint(1)
      writer.uvarint(number)
      writer.uvarint(offset)
      writer.uvarint(length)
    }
    const inLeaf = leafWith((writer) => {
      startOfFile(writer, Buffer.from('a'))
      writer.uvarint(1)
      extents(writer)
      writer.uvarint(0)
    }, 1)
    expect([offset, length, outcomeOf(() => decodeManifestNode(inLeaf))]).toEqual([offset, length, 'corrupt'])
    const alone = new ByteWriter()
    alone.u8(3)
    alone.uvarint(1)
    alone.raw(Buffer.alloc(32))
    extents(alone)
    expect([offset, length, outcomeOf(() => decodeExtentNode(alone.copy()))]).toEqual([
      offset,
      length,
      'corrupt',
    ])
  }
})

test('a path that shares more with the one before than that has is corrupt', () => {
  const node = leafWith((writer) => {
    startOfFile(writer, Buffer.from('a'), 1)
    writer.uvarint(0)
    writer.uvarint(0)
    writer.uvarint(0)
  })
  expect(outcomeOf(() => decodeManifestNode(node))).toBe('corrupt')
})

/** A file with these bytes where its extended attributes are. */
function withExtra(extra: (writer: ByteWriter) => void): Buffer {
  const inner = new ByteWriter()
  extra(inner)
  return leafWith((writer) => {
    startOfFile(writer, Buffer.from('a'))
    writer.uvarint(0)
    writer.uvarint(0)
    writer.bytes(inner.copy())
  })
}

function namesAndValues(...pairs: readonly (readonly [name: string, valueBytes: number])[]) {
  return (writer: ByteWriter) => {
    writer.uvarint(pairs.length)
    for (const [name, valueBytes] of pairs) {
      writer.bytes(Buffer.from(name))
      writer.bytes(Buffer.alloc(valueBytes))
    }
  }
}

test('bytes of a later version behind the extended attributes are skipped', () => {
  const node = withExtra((writer) => {
    namesAndValues(['user.a', 3])(writer)
    writer.raw(Buffer.from('something new'))
  })
  const read = decodeManifestNode(node)
  expect(read.type === 'leaf' && read.entries.map(toPlain)).toMatchObject([
    { type: 'file', attributes: [{ name: Uint8Array.from(Buffer.from('user.a')) }] },
  ])
})

const many = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, i) => [`user.${String(i).padStart(5, '0')}`, bytes] as const)

test('extended attributes at their limits are read', () => {
  for (const pairs of [many(4096, 0), [['u'.repeat(255), 65_536] as const], many(7, 65_536)])
    expect(outcomeOf(() => decodeManifestNode(withExtra(namesAndValues(...pairs))))).toBe('returned')
})

test.for(
  Object.entries({
    'a name of no bytes': namesAndValues(['', 1]),
    'a name of 256 bytes': namesAndValues(['u'.repeat(256), 1]),
    'a name with a NUL': namesAndValues(['user.a\0b', 1]),
    'a value of more than 64 KiB': namesAndValues(['user.a', 65_537]),
    'more than 4096 of them': namesAndValues(...many(4097, 0)),
    'more than 512 KiB of them': namesAndValues(...many(8, 65_536)),
    'a name twice': namesAndValues(['user.a', 1], ['user.a', 1]),
    'names out of order': namesAndValues(['user.b', 1], ['user.a', 1]),
    'a count that does not fit': (writer: ByteWriter) => writer.uvarint(Number.MAX_SAFE_INTEGER),
    'a value that is longer than what is there': (writer: ByteWriter) => {
      writer.uvarint(1)
      writer.bytes(Buffer.from('user.a'))
      writer.uvarint(100)
    },
  }),
)('extended attributes with %s are corrupt', ([, extra]) => {
  expect(outcomeOf(() => decodeManifestNode(withExtra(extra)))).toBe('corrupt')
})

test('a node of unknown type says which', () => {
  expect(() => decodeManifestNode(Buffer.of(9))).toThrow(
    expect.objectContaining({ code: 'corrupt', message: expect.stringContaining('unknown type 9') }),
  )
  expect(outcomeOf(() => decodeExtentNode(Buffer.of(1, 0, 0)))).toBe('corrupt')
  expect(outcomeOf(() => decodeManifestNode(Buffer.of(3, 0, 0)))).toBe('corrupt')
})
