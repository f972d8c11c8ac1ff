import type { Placing, PlainMetadata, SmallFile } from './small-file.ts'

/** Lengths of path and content, mode, user, group, time, placing, whether there is an owner. */
const HEADER_BYTES = 4 * 5 + 8 + 2
const PLACINGS: readonly Placing[] = ['direct', 'staged', 'synced']

/** Small files one after the other in one piece of memory, which goes to another thread and back as it is. */
export class FileBatch {
  readonly memory: ArrayBuffer
  readonly #bytes: Buffer
  #length = 0

  constructor(memory: ArrayBuffer) {
    this.memory = memory
    this.#bytes = Buffer.from(memory)
  }

  /** Bytes in use. */
  get length(): number {
    return this.#length
  }

  /** Where the content of a file with a path of so many bytes is to be put: what is left, maybe nothing. */
  roomFor(pathBytes: number): Buffer {
    return this.#bytes.subarray(this.#length + HEADER_BYTES + pathBytes)
  }

  /** Takes a file whose content is where `roomFor` said. */
  add(path: Buffer, contentBytes: number, placing: Placing, metadata: PlainMetadata): void {
    const bytes = this.#bytes
    const { mode, owner, mtimeNs } = metadata
    let at = bytes.writeUInt32LE(path.length, this.#length)
    at = bytes.writeUInt32LE(contentBytes, at)
    at = bytes.writeUInt32LE(mode, at)
    at = bytes.writeUInt32LE(owner?.uid ?? 0, at)
    at = bytes.writeUInt32LE(owner?.gid ?? 0, at)
    at = bytes.writeBigInt64LE(mtimeNs, at)
    at = bytes.writeUInt8(PLACINGS.indexOf(placing), at)
    at = bytes.writeUInt8(owner ? 1 : 0, at)
    this.#length = at + path.copy(bytes, at) + contentBytes
  }
}

/** The files of a batch, in the order in which they were added. Their bytes are in its memory. */
export function* filesIn(memory: ArrayBuffer, length: number): Generator<SmallFile> {
  const bytes = Buffer.from(memory, 0, length)
  for (let at = 0; at < length; ) {
    const pathAt = at + HEADER_BYTES
    const contentAt = pathAt + bytes.readUInt32LE(at)
    const end = contentAt + bytes.readUInt32LE(at + 4)
    const placing = PLACINGS[bytes.readUInt8(at + 28)] ?? 'synced'
    const hasOwner = bytes.readUInt8(at + 29) === 1
    const metadata = {
      mode: bytes.readUInt32LE(at + 8),
      owner: hasOwner ? { uid: bytes.readUInt32LE(at + 12), gid: bytes.readUInt32LE(at + 16) } : undefined,
      mtimeNs: bytes.readBigInt64LE(at + 20),
    }
    yield {
      path: bytes.subarray(pathAt, contentAt),
      content: bytes.subarray(contentAt, end),
      placing,
      metadata,
    }
    at = end
  }
}
