import { decodeExtentNode, decodeManifestNode } from '../format/decode-manifest-node.ts'
import {
  encodeBranch,
  encodeExtentBranch,
  encodeExtentLeaf,
  LeafWriter,
} from '../format/encode-manifest-node.ts'
import { Extents } from '../format/extents.ts'
import type { ManifestEntry, ManifestNode } from '../format/manifest-node.ts'
import { walkExtents, walkManifest } from '../restore/walk-manifest.ts'

const ID = Buffer.alloc(32, 7)
const BASE = { mode: 0o644, uid: 1, gid: 2, user: 'u', group: 'g', mtimeNs: -1n }
const FILE = { ...BASE, type: 'file', size: 9, sparse: true, unsteady: false } as const

function extents(): Extents {
  const list = new Extents()
  list.add(ID, 3, 9)
  return list
}

function leaf(...entries: readonly ManifestEntry[]): Buffer {
  const writer = new LeafWriter()
  for (const entry of entries) writer.add(entry)
  return Buffer.from(writer.take())
}

const name = (text: string): Buffer => Buffer.from(text)
const LEAF = leaf(
  { ...FILE, path: name('a'), content: { extents: extents() } },
  { ...FILE, path: name('a.tree'), content: { treeRoot: ID } },
  { ...BASE, type: 'directory', path: name('b') },
  { ...BASE, type: 'symlink', path: name('b/c'), target: name('x') },
  { ...BASE, type: 'hardlink', path: name('b/d'), linkTo: name('a') },
  { ...BASE, type: 'block-device', path: name('e'), major: 1, minor: 2 },
  { ...BASE, type: 'fifo', path: name('f'), attributes: [{ name: name('user.a'), value: name('v') }] },
)
const BRANCH = encodeBranch([{ firstPath: name('a'), id: ID }])
const TREE = encodeExtentBranch([{ bytes: 9, id: ID }])

function encode(node: ManifestNode): Buffer {
  return node.type === 'leaf' ? leaf(...node.entries) : encodeBranch(node.children)
}

/** Node n has the id that begins with n: each begins with a length of two bytes. */
function nodesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const nodes: Uint8Array[] = []
  for (let rest = bytes; rest.length >= 2; ) {
    const length = Buffer.from(rest).readUInt16LE()
    nodes.push(rest.subarray(2, 2 + length))
    rest = rest.subarray(2 + length)
  }
  return nodes
}

function packed(...nodes: readonly Uint8Array[]): Buffer {
  return Buffer.concat(nodes.flatMap((node) => [Buffer.of(node.length & 255, node.length >> 8), node]))
}

/** So many entries, or extents, are no walk without an end. */
const MANY = 100_000

async function walk(bytes: Uint8Array): Promise<void> {
  const nodes = nodesOf(bytes)
  const chunks = { read: async (id: Uint8Array) => nodes[id[0] ?? 0] ?? new Uint8Array() }
  let seen = 0
  for await (const entry of walkManifest(chunks, new Uint8Array(32), undefined)) {
    if (entry.type !== 'file') continue
    for await (const list of walkExtents(chunks, entry.content)) seen += 1 + list.count
    if (seen > MANY) throw new Error(`${bytes.length} bytes are ${seen} extents and files`)
  }
}

/** Of the manifests: what an entry that was decoded is encoded to is decoded to the same. */
export const manifestTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'manifest-node',
    seeds: [LEAF, BRANCH],
    decode: (bytes) => {
      const once = encode(decodeManifestNode(bytes))
      if (Buffer.compare(once, encode(decodeManifestNode(once))) !== 0)
        throw new Error('it is decoded to other entries than were encoded')
    },
  },
  {
    name: 'extent-node',
    seeds: [encodeExtentLeaf(extents()), TREE],
    decode: (bytes) => {
      const node = decodeExtentNode(bytes)
      if (node.type === 'branch') encodeExtentBranch(node.children)
      else encodeExtentLeaf(node.extents)
    },
  },
  {
    name: 'manifest-walk',
    seeds: [
      packed(
        encodeBranch([
          { firstPath: name('a'), id: Buffer.alloc(32, 1) },
          { firstPath: name('g'), id: Buffer.alloc(32, 2) },
        ]),
        leaf({ ...FILE, path: name('a'), content: { treeRoot: Buffer.alloc(32, 3) } }),
        leaf({ ...FILE, path: name('g'), content: { extents: extents() } }),
        encodeExtentBranch([{ bytes: 9, id: Buffer.alloc(32, 4) }]),
        encodeExtentLeaf(extents()),
      ),
    ],
    decode: walk,
  },
]
