import type { Entry, SourceProblem } from '@pipe-backup/source'
import type { ByteInput } from './byte-input.ts'
import { compressionHint } from './compression-hint.ts'
import { Content } from './content.ts'
import type { Member } from './member.ts'
import { joinPaxRecords, type PaxRecords, paxNumber, paxValue, readPaxRecords } from './pax-records.ts'
import { hasChecksum, isZero, readHeader, sizeOf, typeOf } from './read-header.ts'
import { checkSparseMap, gnuSparseMap, paxSparseMap } from './sparse-map.ts'
import { TarError } from './tar-error.ts'
import { toEntry } from './to-entry.ts'
import { BLOCK_BYTES, paddingOf } from './ustar-header.ts'

/** What is held of pax records, or of a long name, for one entry: Linux takes paths of 4 KiB; extended attributes have 512 KiB, and some of it thrice. */
const MOST_ATTRIBUTE_BYTES = 2 * 1024 * 1024
const ZEROS = Buffer.alloc(64 * 1024)
/** Kinds that have no bytes, whatever their size says: old programs wrote that of the file that a link is of. */
const WITHOUT_BYTES = '123456'

/** What came before an entry's own header and belongs to it. */
interface Attributes {
  pax?: PaxRecords
  name?: Uint8Array
  link?: Uint8Array
}

/**
 * Reads an archive entry by entry. Our own reader, because tar-stream makes strings of the names in pax records, takes an archive that is cut
 * between two entries for a whole one, and knows no files with holes; in the tests it is the other reader and writer.
 */
export class ArchiveReader {
  readonly #input: ByteInput
  readonly #onProblem: ((problem: SourceProblem) => void) | undefined
  #global: PaxRecords | undefined
  #content: Content | undefined
  /** The size of a pax entry that should have no bytes: the standard lets a link have its file's. If no header follows it, it has. */
  #doubtfulBytes = 0
  /** Where the header began that is being read. */
  #headerAt = 0

  constructor(input: ByteInput, onProblem: ((problem: SourceProblem) => void) | undefined) {
    this.#input = input
    this.#onProblem = onProblem
  }

  /** The next entry; undefined behind the last one, when the source has ended too. @throws TarError */
  async next(): Promise<Entry | undefined> {
    for (;;) {
      await this.#content?.pass()
      this.#content = undefined
      try {
        const found = await this.#nextMember()
        if (!found) return undefined
        const entry = toEntry(found, this.#content)
        if (entry) return entry
      } catch (error) {
        if (!(error instanceof TarError)) throw error
        const { code, message, path, hint } = error
        if (path === undefined)
          throw new TarError(code, `${message} (at byte ${this.#headerAt} of the archive)`, {
            ...(hint !== undefined && { hint }),
            cause: error,
          })
        if (!this.#onProblem || (code !== 'unsafe-path' && code !== 'unsupported')) throw error
        this.#onProblem({ code: 'unreadable', path, message })
      }
    }
  }

  async #nextMember(): Promise<Member | undefined> {
    const attributes: Attributes = {}
    for (;;) {
      this.#headerAt = this.#input.position
      const block = this.#input.takeAtHand(BLOCK_BYTES) ?? (await this.#input.take(BLOCK_BYTES))
      if (block.length < BLOCK_BYTES) throw this.#ended(block)
      if (isZero(block)) {
        if (attributes.pax || attributes.name || attributes.link)
          throw new TarError('corrupt', 'a header that belongs to an entry has none behind it')
        await this.#end()
        return undefined
      }
      if (this.#doubtfulBytes > 0 && (await this.#passDoubtful(block))) continue
      this.#check(block)
      switch (typeOf(block)) {
        case 'x':
        case 'X': // Solaris's, from before the standard.
          attributes.pax = joinPaxRecords(attributes.pax, readPaxRecords(await this.#attribute(block)))
          break
        case 'g':
          this.#global = joinPaxRecords(this.#global, readPaxRecords(await this.#attribute(block)))
          break
        case 'L':
          attributes.name = upToNul(await this.#attribute(block))
          break
        case 'K':
          attributes.link = upToNul(await this.#attribute(block))
          break
        default:
          return this.#member(block, attributes)
      }
    }
  }

  async #member(block: Uint8Array, attributes: Attributes): Promise<Member> {
    const header = readHeader(block)
    const { pax } = attributes
    const records = this.#global ? joinPaxRecords(this.#global, pax ?? NO_RECORDS) : pax
    const size = paxNumber(records, 'size') ?? header.size
    const name =
      paxValue(pax, 'GNU.sparse.name') ?? paxValue(records, 'path') ?? attributes.name ?? header.name
    const link = paxValue(records, 'linkpath') ?? attributes.link ?? header.link
    if (WITHOUT_BYTES.includes(header.type)) {
      if (records) this.#doubtfulBytes = size
      return { header, records, name, link, size: 0 }
    }
    const map =
      header.type === 'S' && header.gnu
        ? await gnuSparseMap(block, this.#input)
        : await paxSparseMap(pax, this.#input, size)
    if (map) checkSparseMap(map, size)
    this.#content = new Content(this.#input, name, size - (map?.mapBytes ?? 0), map)
    return { header, records, name, link, size: map?.size ?? size, map }
  }

  /** The bytes behind a header that describes another. */
  async #attribute(block: Uint8Array): Promise<Uint8Array> {
    const size = sizeOf(block)
    if (size > MOST_ATTRIBUTE_BYTES)
      throw new TarError('too-large', `a header of ${size} bytes where names take a few hundred`)
    const whole = size + paddingOf(size)
    const bytes = this.#input.takeAtHand(whole) ?? (await this.#input.take(whole))
    if (bytes.length < whole) throw this.#ended(bytes)
    return bytes.subarray(0, size)
  }

  #check(block: Uint8Array): void {
    if (hasChecksum(block)) return
    if (this.#headerAt > 0) throw new TarError('corrupt', 'the checksum of a header is wrong')
    throw new TarError('corrupt', 'this is no tar archive', { hint: compressionHint(block) })
  }

  /** @returns whether the block was not a header but the first of the bytes that an entry was not supposed to have */
  async #passDoubtful(block: Uint8Array): Promise<boolean> {
    const bytes = this.#doubtfulBytes
    this.#doubtfulBytes = 0
    if (hasChecksum(block)) return false
    const left = bytes + paddingOf(bytes) - BLOCK_BYTES
    if ((await this.#input.skip(left)) < left) throw this.#ended(block)
    return true
  }

  /** Behind the first block of zeros. */
  async #end(): Promise<void> {
    const second = await this.#input.take(BLOCK_BYTES)
    if (second.length < BLOCK_BYTES) throw this.#ended(second)
    let zero = isZero(second)
    for await (const piece of this.#input.rest())
      for (let at = 0; zero && at < piece.length; at += ZEROS.length) {
        const some = piece.subarray(at, at + ZEROS.length)
        zero = ZEROS.compare(some, 0, some.length, 0, some.length) === 0
      }
    if (!zero)
      throw new TarError('corrupt', 'there is more behind the end of the archive', {
        hint: 'All entries up to its end have been read. Are these several archives in one?',
      })
  }

  #ended(last: Uint8Array): TarError {
    const nothing = last.length === 0 && this.#input.position === 0
    return new TarError(
      'truncated',
      nothing ? 'there is no archive: nothing at all' : 'the archive is cut short',
    )
  }
}

const NO_RECORDS: PaxRecords = { values: new Map(), segments: [], attributes: new Map() }

function upToNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes.slice() : bytes.slice(0, end)
}
