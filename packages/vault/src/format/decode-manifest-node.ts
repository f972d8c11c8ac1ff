import { comparePaths } from '@pipe-backup/source'
import { VaultError } from '../vault-error.ts'
import { readAttributes } from './attribute-codec.ts'
import { ByteReader } from './byte-reader.ts'
import { CHUNK_ID_BYTES, MAX_CHUNK_BYTES } from './chunk-codec.ts'
import { Extents } from './extents.ts'
import {
  BILLION,
  type BranchChild,
  type Content,
  ENTRY_TYPES,
  type ExtentChild,
  type ExtentNode,
  FLAG_EXTENT_TREE,
  FLAG_SPARSE,
  FLAG_UNSTEADY,
  MAX_PATHS_BYTES,
  type ManifestEntry,
  type ManifestNode,
  NodeType,
} from './manifest-node.ts'

/** Of a path in a message. */
const SHOWN_BYTES = 256

/** @throws VaultError `corrupt` */
export function decodeManifestNode(bytes: Uint8Array): ManifestNode {
  const reader = new ByteReader(bytes, 'a manifest')
  const type = reader.u8()
  if (type === NodeType.branch) {
    const children: BranchChild[] = []
    for (let left = reader.count(CHUNK_ID_BYTES + 1); left > 0; left--) {
      const firstPath = reader.bytes()
      checkOrder(children.at(-1)?.firstPath, firstPath)
      children.push({ firstPath, id: reader.raw(CHUNK_ID_BYTES) })
    }
    reader.end()
    return { type: 'branch', children }
  }
  if (type !== NodeType.leaf) throw new VaultError('corrupt', `a manifest node of unknown type ${type}`)
  const ids = readChunkTable(reader)
  const entries: ManifestEntry[] = []
  let previous: Uint8Array = new Uint8Array()
  let pathsBytes = 0
  for (let left = reader.count(12); left > 0; left--) {
    const entry = readEntry(reader, ids, previous, MAX_PATHS_BYTES - pathsBytes)
    if (entries.length > 0) checkOrder(previous, entry.path)
    previous = entry.path
    pathsBytes += entry.path.length
    entries.push(entry)
  }
  reader.end()
  return { type: 'leaf', entries }
}

/** Paths come in order, each once: no node stands for itself, and none for more than there is. */
function checkOrder(previous: Uint8Array | undefined, path: Uint8Array): void {
  if (previous === undefined || comparePaths(previous, path) < 0) return
  throw new VaultError('corrupt', `a manifest has the path ${shown(path)} out of order`)
}

/** For a message: its beginning. */
function shown(path: Uint8Array): string {
  const text = JSON.stringify(Buffer.from(path.subarray(0, SHOWN_BYTES)).toString())
  return path.length > SHOWN_BYTES ? `${text} …` : text
}

/** @param mostBytes - how long its path can be */
function readEntry(
  reader: ByteReader,
  ids: readonly Buffer[],
  previous: Uint8Array,
  mostBytes: number,
): ManifestEntry {
  const shared = reader.uvarint()
  if (shared > previous.length)
    throw new VaultError('corrupt', 'a manifest path begins with what is not there')
  const rest = reader.bytes()
  // Each can repeat the whole of the one before it in a dozen bytes.
  if (shared + rest.length > mostBytes)
    throw new VaultError('corrupt', 'a manifest has longer paths than a node can have')
  const path = Buffer.concat([previous.subarray(0, shared), rest])
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
  if (bad) throw new VaultError('corrupt', `a manifest has the path ${shown(path)}, which can't be`)
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
function readChunkTable(reader: ByteReader): Buffer[] {
  const ids: Buffer[] = []
  for (let left = reader.count(CHUNK_ID_BYTES); left > 0; left--) ids.push(reader.raw(CHUNK_ID_BYTES))
  return ids
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
