import type { Entry } from '@pipe-backup/source'
import { VaultError } from '../vault-error.ts'
import { readAttributes, writeAttributes } from './attribute-codec.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { CHUNK_ID_BYTES, MAX_CHUNK_BYTES } from './chunk-codec.ts'
import { Extents } from './extents.ts'

/** The first byte of a node (docs/format.md section 8). */
const NodeType = { leaf: 1, branch: 2, extentLeaf: 3, extentBranch: 4 } as const

const ENTRY_TYPES = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'fifo',
  'character-device',
  'block-device',
] as const
const ENTRY_TYPE_NUMBERS = new Map<string, number>(ENTRY_TYPES.map((type, number) => [type, number]))

const FLAG_SPARSE = 1
const FLAG_UNSTEADY = 2
const FLAG_EXTENT_TREE = 4
const BILLION = 1_000_000_000n
/** What the manifest's numbers hold, either way: 140 million years. tmpfs and ZFS have times beyond. */
const MAX_SECONDS = 2n ** 52n - 1n

/** Where a file's bytes are: its extents, or the root node of a tree of them. */
export type Content = { readonly extents: Extents } | { readonly treeRoot: Uint8Array }

/** An entry as a manifest has it: a file's bytes are elsewhere. */
export type ManifestEntry =
  | Exclude<Entry, { type: 'file' }>
  | (Omit<Extract<Entry, { type: 'file' }>, 'open' | 'identity' | 'size'> & {
      readonly size: number
      readonly content: Content
    })

/** A child of a branch: the node, and the first path below it. */
export interface BranchChild {
  readonly firstPath: Uint8Array
  readonly id: Uint8Array
}

/** A child of an extent branch. */
export interface ExtentChild {
  readonly bytes: number
  readonly id: Uint8Array
}

export type ManifestNode =
  | { readonly type: 'leaf'; readonly entries: readonly ManifestEntry[] }
  | { readonly type: 'branch'; readonly children: readonly BranchChild[] }

export type ExtentNode =
  | { readonly type: 'leaf'; readonly extents: Extents }
  | { readonly type: 'branch'; readonly children: readonly ExtentChild[] }

/** Numbers the chunk ids of one node in order of first use. */
class ChunkTable {
  readonly ids: Uint8Array[] = []
  readonly #numbers = new Map<string, number>()

  number(id: Buffer): number {
    const last = this.ids.at(-1)
    if (last && id.equals(last)) return this.ids.length - 1
    const name = id.toString('latin1', 0, CHUNK_ID_BYTES)
    let number = this.#numbers.get(name)
    if (number === undefined) {
      number = this.ids.push(Buffer.from(id)) - 1
      this.#numbers.set(name, number)
    }
    return number
  }

  clear(): void {
    this.ids.length = 0
    this.#numbers.clear()
  }

  write(writer: ByteWriter): void {
    writer.uvarint(this.ids.length)
    for (const id of this.ids) writer.raw(id)
  }
}

function readChunkTable(reader: ByteReader): Buffer[] {
  const ids: Buffer[] = []
  for (let left = reader.count(CHUNK_ID_BYTES); left > 0; left--) ids.push(reader.raw(CHUNK_ID_BYTES))
  return ids
}

function writeExtents(writer: ByteWriter, extents: Extents, table: ChunkTable): void {
  writer.uvarint(extents.count)
  for (let i = 0; i < extents.count; i++) {
    writer.uvarint(table.number(extents.id(i)))
    writer.uvarint(extents.offset(i))
    writer.uvarint(extents.length(i))
  }
}

function pick(ids: readonly Buffer[], number: number): Buffer {
  const id = ids[number]
  if (!id) throw new VaultError('corrupt', 'a manifest names a chunk that it does not list')
  return id
}

function readExtents(reader: ByteReader, ids: readonly Buffer[]): Extents {
  const extents = new Extents()
  for (let left = reader.count(3); left > 0; left--) {
    const id = pick(ids, reader.uvarint())
    const offset = reader.uvarint()
    const length = reader.uvarint()
    if (offset + length > MAX_CHUNK_BYTES)
      throw new VaultError('corrupt', 'a manifest uses more of a chunk than any can have')
    extents.add(id, offset, length)
  }
  return extents
}

/** Gathers entries, in order, into the bytes of one leaf. */
export class LeafWriter {
  readonly #table = new ChunkTable()
  readonly #body = new ByteWriter(64 * 1024)
  readonly #extra = new ByteWriter()
  #previous: Uint8Array = new Uint8Array()
  #count = 0

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#body.length + this.#table.ids.length * CHUNK_ID_BYTES
  }

  add(entry: ManifestEntry): void {
    const body = this.#body
    const shared = sharedPrefix(this.#previous, entry.path)
    this.#previous = entry.path
    body.uvarint(shared)
    body.bytes(entry.path.subarray(shared))
    body.u8(ENTRY_TYPE_NUMBERS.get(entry.type) ?? 0)
    body.u8(flagsOf(entry))
    body.uvarint(entry.mode)
    body.uvarint(entry.uid)
    body.uvarint(entry.gid)
    body.text(entry.user)
    body.text(entry.group)
    const mtimeNs = within(entry.mtimeNs, MAX_SECONDS * BILLION)
    let seconds = mtimeNs / BILLION
    if (seconds * BILLION > mtimeNs) seconds -= 1n
    body.svarint(Number(seconds))
    body.uvarint(Number(mtimeNs - seconds * BILLION))
    switch (entry.type) {
      case 'file':
        body.uvarint(entry.size)
        if ('treeRoot' in entry.content) body.uvarint(this.#table.number(Buffer.from(entry.content.treeRoot)))
        else writeExtents(body, entry.content.extents, this.#table)
        break
      case 'symlink':
        body.bytes(entry.target)
        break
      case 'hardlink':
        body.bytes(entry.linkTo)
        break
      case 'character-device':
      case 'block-device':
        body.uvarint(entry.major)
        body.uvarint(entry.minor)
        break
      case 'directory':
      case 'fifo':
        break
    }
    this.#writeExtra(entry)
    this.#count++
  }

  /** Most entries have none of it, and it takes them one byte. */
  #writeExtra({ attributes = [] }: ManifestEntry): void {
    if (attributes.length === 0) {
      this.#body.uvarint(0)
      return
    }
    this.#extra.clear()
    writeAttributes(this.#extra, attributes)
    this.#body.bytes(this.#extra.view())
  }

  /** The node's bytes; the writer is empty again. */
  take(): Buffer {
    const writer = new ByteWriter(this.bytes + 32)
    writer.u8(NodeType.leaf)
    this.#table.write(writer)
    writer.uvarint(this.#count)
    writer.raw(this.#body.view())
    this.#table.clear()
    this.#body.clear()
    this.#previous = new Uint8Array()
    this.#count = 0
    return writer.view()
  }
}

function within(value: bigint, most: bigint): bigint {
  if (value > most) return most
  return value < -most ? -most : value
}

function flagsOf(entry: ManifestEntry): number {
  if (entry.type !== 'file') return 0
  return (
    (entry.sparse ? FLAG_SPARSE : 0) |
    (entry.unsteady ? FLAG_UNSTEADY : 0) |
    ('treeRoot' in entry.content ? FLAG_EXTENT_TREE : 0)
  )
}

function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let i = 0
  while (i < most && a[i] === b[i]) i++
  return i
}

export function encodeBranch(children: readonly BranchChild[]): Buffer {
  const writer = new ByteWriter(64 * 1024)
  writer.u8(NodeType.branch)
  writer.uvarint(children.length)
  for (const child of children) {
    writer.bytes(child.firstPath)
    writer.raw(child.id)
  }
  return writer.view()
}

export function encodeExtentLeaf(extents: Extents): Buffer {
  const table = new ChunkTable()
  const body = new ByteWriter(64 * 1024)
  writeExtents(body, extents, table)
  const writer = new ByteWriter(body.length + table.ids.length * CHUNK_ID_BYTES + 32)
  writer.u8(NodeType.extentLeaf)
  table.write(writer)
  writer.raw(body.view())
  return writer.view()
}

export function encodeExtentBranch(children: readonly ExtentChild[]): Buffer {
  const writer = new ByteWriter(64 * 1024)
  writer.u8(NodeType.extentBranch)
  writer.uvarint(children.length)
  for (const child of children) {
    writer.uvarint(child.bytes)
    writer.raw(child.id)
  }
  return writer.view()
}

/** @throws VaultError `corrupt` */
export function decodeManifestNode(bytes: Uint8Array): ManifestNode {
  const reader = new ByteReader(bytes, 'a manifest')
  const type = reader.u8()
  if (type === NodeType.branch) {
    const children: BranchChild[] = []
    for (let left = reader.count(CHUNK_ID_BYTES + 1); left > 0; left--) {
      const firstPath = reader.bytes()
      children.push({ firstPath, id: reader.raw(CHUNK_ID_BYTES) })
    }
    reader.end()
    return { type: 'branch', children }
  }
  if (type !== NodeType.leaf) throw new VaultError('corrupt', `a manifest node of unknown type ${type}`)
  const ids = readChunkTable(reader)
  const entries: ManifestEntry[] = []
  let previous = Buffer.alloc(0)
  for (let left = reader.count(12); left > 0; left--) {
    const entry = readEntry(reader, ids, previous)
    previous = Buffer.from(entry.path)
    entries.push(entry)
  }
  reader.end()
  return { type: 'leaf', entries }
}

function readEntry(reader: ByteReader, ids: readonly Buffer[], previous: Buffer): ManifestEntry {
  const shared = reader.uvarint()
  if (shared > previous.length)
    throw new VaultError('corrupt', 'a manifest path begins with what is not there')
  const path = Buffer.concat([previous.subarray(0, shared), reader.bytes()])
  checkPath(path)
  const typeNumber = reader.u8()
  const flags = reader.u8()
  const mode = reader.uvarint()
  const uid = reader.uvarint()
  const gid = reader.uvarint()
  const user = reader.text()
  const group = reader.text()
  const seconds = BigInt(reader.svarint())
  const nanoseconds = BigInt(reader.uvarint())
  if (nanoseconds >= BILLION) throw new VaultError('corrupt', 'a manifest has more nanoseconds than a second')
  const mtimeNs = seconds * BILLION + nanoseconds
  const metadata = { path, mode, uid, gid, user, group, mtimeNs }
  const entry = readByType(reader, ids, ENTRY_TYPES[typeNumber], flags, metadata)
  const attributes = readAttributes(reader.bytes())
  return attributes ? { ...entry, attributes } : entry
}

function readByType(
  reader: ByteReader,
  ids: readonly Buffer[],
  type: (typeof ENTRY_TYPES)[number] | undefined,
  flags: number,
  metadata: Pick<ManifestEntry, 'path' | 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'mtimeNs'>,
): ManifestEntry {
  switch (type) {
    case 'file': {
      const size = reader.uvarint()
      const content: Content =
        (flags & FLAG_EXTENT_TREE) !== 0
          ? { treeRoot: pick(ids, reader.uvarint()) }
          : { extents: readExtents(reader, ids) }
      const sparse = (flags & FLAG_SPARSE) !== 0
      const unsteady = (flags & FLAG_UNSTEADY) !== 0
      return { type, ...metadata, size, content, sparse, unsteady }
    }
    case 'symlink':
      return { type, ...metadata, target: reader.bytes() }
    case 'hardlink':
      return { type, ...metadata, linkTo: reader.bytes() }
    case 'character-device':
    case 'block-device': {
      const major = reader.uvarint()
      return { type, ...metadata, major, minor: reader.uvarint() }
    }
    case 'directory':
    case 'fifo':
      return { type, ...metadata }
    case undefined:
      throw new VaultError('corrupt', 'a manifest has an entry of unknown type')
  }
}

/** What a manifest says goes into file names: it is checked though it was authenticated. */
function checkPath(path: Buffer): void {
  const text = path.toString('latin1')
  const bad =
    text.includes('\0') || text.split('/').some((part) => part === '' || part === '.' || part === '..')
  if (bad)
    throw new VaultError(
      'corrupt',
      `a manifest has the path ${JSON.stringify(path.toString())}, which can't be`,
    )
}

/** @throws VaultError `corrupt` */
export function decodeExtentNode(bytes: Uint8Array): ExtentNode {
  const reader = new ByteReader(bytes, 'an extent list')
  const type = reader.u8()
  if (type === NodeType.extentBranch) {
    const children: ExtentChild[] = []
    for (let left = reader.count(CHUNK_ID_BYTES + 1); left > 0; left--) {
      const covered = reader.uvarint()
      children.push({ bytes: covered, id: reader.raw(CHUNK_ID_BYTES) })
    }
    reader.end()
    return { type: 'branch', children }
  }
  if (type !== NodeType.extentLeaf) throw new VaultError('corrupt', `an extent node of unknown type ${type}`)
  const ids = readChunkTable(reader)
  const extents = readExtents(reader, ids)
  reader.end()
  return { type: 'leaf', extents }
}
