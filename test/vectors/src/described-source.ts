import { createHash } from 'node:crypto'
import {
  comparePaths,
  type Entry,
  type EntryReader,
  type FileIdentity,
  type Reading,
  type Source,
} from '@pipe-backup/source'

/** An entry as a vector's expected.json has it, and the bytes of a file. Paths and targets have one character for each byte. */
export interface Described {
  readonly path: string
  readonly type: Entry['type']
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly user: string
  readonly group: string
  /** Decimal. */
  readonly mtimeNs: string
  /** By their names, in order; names and values have one character for each byte. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly sparse?: boolean
  /** Of symbolic links, and of hard links the path within the source. */
  readonly target?: string
  readonly major?: number
  readonly minor?: number
  readonly bytes?: Uint8Array
}

const METADATA = {
  mode: 0o644,
  uid: 1000,
  gid: 100,
  user: 'ada',
  group: 'users',
  mtimeNs: '1700000000123456789',
}

/** A file, with the metadata that most entries of the vectors have. */
export function file(path: string, bytes: string | Uint8Array, more: Partial<Described> = {}): Described {
  return { ...METADATA, path, type: 'file', bytes: Buffer.from(bytes), ...more }
}

/** An entry that is no file. */
export function other(type: Entry['type'], path: string, more: Partial<Described> = {}): Described {
  return { ...METADATA, path, type, ...more }
}

/** What expected.json says of these entries. */
export function expectedOf(entries: readonly Described[]): object[] {
  return sorted(entries).map(({ bytes, ...entry }) => ({
    ...entry,
    ...(bytes && { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }),
  }))
}

/** A source that yields what was described. */
export function describedSource(name: string, entries: readonly Described[]): Source {
  return {
    name,
    async *entries() {
      for (const described of sorted(entries)) yield toEntry(described)
    },
  }
}

function sorted(entries: readonly Described[]): Described[] {
  return [...entries].sort((a, b) =>
    comparePaths(Buffer.from(a.path, 'latin1'), Buffer.from(b.path, 'latin1')),
  )
}

function toEntry(described: Described): Entry {
  const {
    path,
    type,
    bytes = new Uint8Array(),
    target = '',
    major = 0,
    minor = 0,
    sparse = false,
    attributes = {},
    ...rest
  } = described
  const metadata = {
    ...rest,
    path: Buffer.from(path, 'latin1'),
    mtimeNs: BigInt(rest.mtimeNs),
    attributes: Object.entries(attributes).map(([name, value]) => ({
      name: Buffer.from(name, 'latin1'),
      value: Buffer.from(value, 'latin1'),
    })),
  }
  switch (type) {
    case 'file': {
      const digest = createHash('sha256').update(bytes).digest()
      const identity = { ctimeNs: digest.readBigInt64LE(0), inode: BigInt(digest.readUInt32LE(8)) }
      const open = () => new BytesReader(bytes, { steady: true, mtimeNs: metadata.mtimeNs, identity })
      return { ...metadata, type, size: bytes.length, sparse, identity, open }
    }
    case 'symlink':
      return { ...metadata, type, target: Buffer.from(target, 'latin1') }
    case 'hardlink':
      return { ...metadata, type, linkTo: Buffer.from(target, 'latin1') }
    case 'character-device':
    case 'block-device':
      return { ...metadata, type, major, minor }
    case 'directory':
    case 'fifo':
      return { ...metadata, type }
  }
}

class BytesReader implements EntryReader {
  readonly #bytes: Uint8Array
  readonly #end: Reading & { identity: FileIdentity }
  #at = 0

  constructor(bytes: Uint8Array, end: Reading & { identity: FileIdentity }) {
    this.#bytes = bytes
    this.#end = end
  }

  read(into: Uint8Array): number {
    const piece = this.#bytes.subarray(this.#at, this.#at + into.length)
    into.set(piece)
    this.#at += piece.length
    return piece.length
  }

  finish(): Reading {
    return this.#end
  }

  close(): void {
    // Nothing is held.
  }
}
