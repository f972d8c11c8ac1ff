import type { Entry, FileEntry } from '@pipe-backup/source'
import { writeAttributes } from './attribute-codec.ts'
import { ByteWriter } from './byte-writer.ts'
import { CHUNK_ID_BYTES } from './chunk-codec.ts'
import { Extents } from './extents.ts'
import {
  BILLION,
  type BranchChild,
  ENTRY_TYPE_NUMBERS,
  type ExtentChild,
  FLAG_EXTENT_TREE,
  FLAG_SPARSE,
  FLAG_UNSTEADY,
  MAX_SECONDS,
  type ManifestEntry,
  NodeType,
} from './manifest-node.ts'

/** Numbers the chunk ids of one node in order of first use. */
class ChunkTable {
  readonly ids: Uint8Array[] = []
  /** How many bytes of each are used. */
  readonly usedBytes: number[] = []
  readonly #numbers = new Map<string, number>()

  number(id: Buffer): number {
    const last = this.ids.at(-1)
    if (last && id.equals(last)) return this.ids.length - 1
    const name = id.toString('latin1', 0, CHUNK_ID_BYTES)
    let number = this.#numbers.get(name)
    if (number === undefined) {
      number = this.ids.push(Buffer.from(id)) - 1
      this.usedBytes.push(0)
      this.#numbers.set(name, number)
    }
    return number
  }

  clear(): void {
    this.ids.length = 0
    this.usedBytes.length = 0
    this.#numbers.clear()
  }

  write(writer: ByteWriter): void {
    writer.uvarint(this.ids.length)
    for (const id of this.ids) writer.raw(id)
  }
}

function writeExtents(writer: ByteWriter, extents: Extents, table: ChunkTable): void {
  writer.uvarint(extents.count)
  for (let i = 0; i < extents.count; i++) {
    const number = table.number(extents.id(i))
    const length = extents.length(i)
    table.usedBytes[number] = (table.usedBytes[number] ?? 0) + length
    writer.uvarint(number)
    writer.uvarint(extents.offset(i))
    writer.uvarint(length)
  }
}

/** What an entry that is no file has beside its metadata. */
export function writeSpecial(writer: ByteWriter, entry: Exclude<Entry, FileEntry>): void {
  switch (entry.type) {
    case 'symlink':
      writer.bytes(entry.target)
      break
    case 'hardlink':
      writer.bytes(entry.linkTo)
      break
    case 'character-device':
    case 'block-device':
      writer.uvarint(entry.major)
      writer.uvarint(entry.minor)
      break
    case 'directory':
    case 'fifo':
      break
  }
}

/** Gathers entries, in order, into the bytes of one leaf. */
export class LeafWriter {
  readonly #table = new ChunkTable()
  readonly #body = new ByteWriter(64 * 1024)
  readonly #extra = new ByteWriter()
  #previous: Uint8Array = new Uint8Array()
  #count = 0
  #pathsBytes = 0

  /** Of the paths that were added. */
  get pathsBytes(): number {
    return this.#pathsBytes
  }

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
    this.#pathsBytes += entry.path.length
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
    if (entry.type === 'file') {
      body.uvarint(entry.size)
      if ('treeRoot' in entry.content) body.uvarint(this.#table.number(Buffer.from(entry.content.treeRoot)))
      else writeExtents(body, entry.content.extents, this.#table)
    } else writeSpecial(body, entry)
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

  /** The chunks that its entries use: id, and for how many bytes. Those of files with a tree of extents are not among them. */
  *uses(): Generator<readonly [id: Uint8Array, usedBytes: number]> {
    for (const [i, id] of this.#table.ids.entries()) yield [id, this.#table.usedBytes[i] ?? 0]
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
    this.#pathsBytes = 0
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

/** How many bytes two paths begin with alike. */
export function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
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
