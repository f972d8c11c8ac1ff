import { setTimeout as sleep } from 'node:timers/promises'
import type { EntryReader, FileEntry } from '@pipe-backup/source'
import type { Archive } from './archive.ts'
import type { PackTarOptions } from './pack-tar.ts'

const PART_BYTES = 16 * 1024 * 1024
const PIECE_BYTES = 256 * 1024
/** So often a piece is read on while the part before is written: a database server ends a client that does not read for a minute. */
const PIECE_EVERY_MS = 5_000

/**
 * Adds an entry whose length shows only at its end, such as a program's output: tar wants it first, so a part at a time is held in memory. A
 * short one is one entry; a longer one is several, which `cat` puts together again.
 * @throws what the reader throws
 */
export async function addOutput(
  archive: Archive,
  entry: FileEntry,
  reader: EntryReader,
  { partBytes = PART_BYTES, pieceEveryMs = PIECE_EVERY_MS }: PackTarOptions,
): Promise<void> {
  let part = new Part(partBytes)
  let next = new Part(partBytes)
  for (let number = 0; ; ) {
    while (!part.isFull && !part.ended) await part.readPiece(reader)
    // Whether this is the last one shows in the first bytes of the next.
    if (part.ended) next.ended = true
    else if (next.length === 0) await next.readPiece(reader)
    const isLast = next.ended && next.length === 0
    const suffix = isLast && number === 0 ? '' : `.part-${String(++number).padStart(6, '0')}`
    const path = Buffer.concat([entry.path, Buffer.from(suffix)])
    const adding = archive.add({ ...entry, path, size: part.length, open: () => entry.open() }, part.pieces)
    // Where reading fails first, what becomes of the writing is of no interest.
    adding.catch(() => undefined)
    if (!isLast) await readOn(reader, next, adding, pieceEveryMs)
    await adding
    if (isLast) break
    part = next
    next = new Part(partBytes)
  }
  await reader.finish()
}

/** Reads a piece now and then, until what is being added is through. */
async function readOn(
  reader: EntryReader,
  part: Part,
  adding: Promise<void>,
  everyMs: number,
): Promise<void> {
  const added = adding.then(() => true)
  for (;;) {
    const pause = new AbortController()
    const late = sleep(everyMs, false, { signal: pause.signal, ref: false }).catch(() => false)
    const isAdded = await Promise.race([added, late])
    pause.abort()
    if (isAdded) return
    if (!part.isFull && !part.ended) await part.readPiece(reader)
  }
}

class Part {
  readonly pieces: Buffer[] = []
  readonly #maxBytes: number
  length = 0
  ended = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get isFull(): boolean {
    return this.length >= this.#maxBytes
  }

  async readPiece(reader: EntryReader): Promise<void> {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#maxBytes - this.length))
    const got = await reader.read(piece)
    this.ended = got === 0
    this.length += got
    if (got > 0) this.pieces.push(piece.subarray(0, got))
  }
}
