import type { Entry, FileIdentity } from '@pipe-backup/source'
import { writeAttributes } from '../format/attribute-codec.ts'
import { ByteWriter } from '../format/byte-writer.ts'
import { sharedPrefix, writeSpecial } from '../format/encode-manifest-node.ts'
import { ENTRY_TYPE_NUMBERS } from '../format/manifest-node.ts'

const SAME_OWNER = 1
const SPARSE = 2

/** Times and inode as 64 bits each: what is beyond them is cut off, and shows a change as well. */
const numbers = new BigInt64Array(3)
const numberBytes = new Uint8Array(numbers.buffer)
const timeBytes = numberBytes.subarray(0, 8)

/** What the entries of a leaf look like without opening any: the same bytes in the next run for the same entries, and other bytes for others. */
export class LeafStamps {
  readonly #writer = new ByteWriter(16 * 1024)
  #previous: Entry | undefined
  count = 0

  /** The bytes so far, valid until the next call. */
  get bytes(): Buffer {
    return this.#writer.view()
  }

  /**
   * @param mtimeNs - of files: that of the bytes that were stored
   * @param identity - of files: the same
   */
  add(entry: Entry, size: number, mtimeNs: bigint, identity: FileIdentity | undefined): void {
    const writer = this.#writer
    const previous = this.#previous
    this.#previous = entry
    this.count++
    const shared = previous ? sharedPrefix(previous.path, entry.path) : 0
    const hasSameOwner = previous !== undefined && ownersAreSame(previous, entry)
    const isSparse = entry.type === 'file' && entry.sparse === true
    writer.u8(ENTRY_TYPE_NUMBERS.get(entry.type) ?? 0)
    writer.u8((hasSameOwner ? SAME_OWNER : 0) | (isSparse ? SPARSE : 0))
    writer.uvarint(shared)
    writer.uvarint(entry.path.length - shared)
    writer.raw(shared === 0 ? entry.path : entry.path.subarray(shared))
    writer.uvarint(entry.mode)
    if (!hasSameOwner) {
      writer.uvarint(entry.uid)
      writer.uvarint(entry.gid)
      writer.text(entry.user)
      writer.text(entry.group)
    }
    numbers[0] = mtimeNs
    if (entry.type === 'file') {
      numbers[1] = identity?.ctimeNs ?? 0n
      numbers[2] = identity?.inode ?? 0n
      writer.raw(numberBytes)
      writer.uvarint(size)
      return
    }
    writer.raw(timeBytes)
    writeSpecial(writer, entry)
    writeAttributes(writer, entry.attributes ?? [])
  }

  clear(): void {
    this.#writer.clear()
    this.#previous = undefined
    this.count = 0
  }
}

function ownersAreSame(a: Entry, b: Entry): boolean {
  return a.uid === b.uid && a.gid === b.gid && a.user === b.user && a.group === b.group
}
