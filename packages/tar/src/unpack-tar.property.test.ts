import { buffer } from 'node:stream/consumers'
import type { Entry, EntryReader } from '@pipe-backup/source'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { packTar } from './pack-tar.ts'
import { TarError } from './tar-error.ts'
import { unpackTar } from './unpack-tar.ts'

type Unpacked = Omit<Entry, 'open'> & {
  readonly open?: undefined
  readonly bytes?: string
  readonly target?: Uint8Array
}

const reader = (bytes: Buffer): EntryReader => {
  let at = 0
  return {
    read(into) {
      const got = bytes.copy(into, 0, at)
      at += got
      return got
    },
    finish: () => ({ steady: true, mtimeNs: 0n }),
    close: () => undefined,
  }
}

async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

/** Entries as plain values that can be compared. */
async function unpack(tar: Buffer, pieceBytes: number = tar.length): Promise<Unpacked[]> {
  const found: Unpacked[] = []
  for await (const entry of unpackTar(inPieces(tar, pieceBytes))) found.push(await plain(entry))
  return found
}

async function plain(entry: Entry): Promise<Unpacked> {
  if (entry.type === 'symlink')
    return { ...entry, path: Buffer.from(entry.path), target: Buffer.from(entry.target) }
  if (entry.type !== 'file') return { ...entry, path: Buffer.from(entry.path) }
  const source = await entry.open()
  const pieces: Buffer[] = []
  for (;;) {
    const piece = Buffer.alloc(700)
    const got = await source.read(piece)
    if (got === 0) break
    pieces.push(piece.subarray(0, got))
  }
  await source.finish()
  return {
    ...entry,
    open: undefined,
    path: Buffer.from(entry.path),
    bytes: Buffer.concat(pieces).toString('hex'),
  }
}

/** A name of any bytes that a name may have. */
const component = fc
  .uint8Array({ minLength: 1, maxLength: 120 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
  .filter((name) => !['.', '..'].includes(name.toString('latin1')))
const path = fc
  .array(component, { minLength: 1, maxLength: 4 })
  .map((components) => Buffer.concat(components.flatMap((name) => [Buffer.from('/'), name])).subarray(1))
const metadata = fc.record({
  path,
  mode: fc.nat(0o7777),
  uid: fc.nat(0xffff_ffff),
  gid: fc.nat(0xffff_ffff),
  user: fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((text) => text.isWellFormed() && !text.includes('\0')),
  group: fc.string({ maxLength: 40 }).filter((text) => !text.includes('\0')),
  mtimeNs: fc.bigInt(-(2n ** 62n), 2n ** 62n),
})
const more = fc.oneof(
  fc.record({ type: fc.constant('directory' as const) }),
  fc.record({ type: fc.constant('fifo' as const) }),
  fc.record({ type: fc.constant('symlink' as const), target: path }),
  fc.record({ type: fc.constant('hardlink' as const), linkTo: path }),
  fc.record({ type: fc.constant('block-device' as const), major: fc.nat(4095), minor: fc.nat(0xfffff) }),
  fc
    .uint8Array({ maxLength: 3000 })
    .map((bytes) => ({ type: 'file' as const, size: bytes.length, open: () => reader(Buffer.from(bytes)) })),
)
const entries = fc.array(
  fc.tuple(metadata, more).map(([first, second]): Entry => ({ ...first, ...second })),
  {
    maxLength: 5,
  },
)

test('what packTar wrote comes back the same, in whatever pieces it comes', async () => {
  await fc.assert(
    fc.asyncProperty(entries, fc.constantFrom(1, 7, 511, 512, 513, 100_000), async (list, pieceBytes) => {
      const tar = await buffer(packTar(list))
      expect(await unpack(tar, pieceBytes)).toEqual(await Promise.all(list.map(plain)))
    }),
    { numRuns: 200 },
  )
})

const NOTE = Buffer.from('only a few bytes')
const common = { mode: 0o644, uid: 1, gid: 2, user: 'u', group: 'g', mtimeNs: 3_000_000_001n }
const small: Entry[] = [
  { type: 'directory', path: Buffer.from('d'), ...common },
  {
    type: 'file',
    path: Buffer.from([0x64, 0x2f, 0xff]),
    ...common,
    size: NOTE.length,
    open: () => reader(NOTE),
  },
  { type: 'hardlink', path: Buffer.from('h'), ...common, linkTo: Buffer.from([0x64, 0x2f, 0xff]) },
]
let archive: Buffer
let whole: Unpacked[]
beforeAll(async () => {
  archive = await buffer(packTar(small))
  whole = await unpack(archive)
})

test('an archive that is cut short anywhere says so', async () => {
  expect(whole).toHaveLength(3)
  for (let length = 0; length < archive.length; length++)
    await expect(unpack(archive.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({
      code: 'truncated',
    })
})

test('a bit that flips in a header is found, or changes nothing', async () => {
  const headers = [...Array(archive.length / 512).keys()].filter(
    (i) => archive.toString('latin1', i * 512 + 257, i * 512 + 262) === 'ustar',
  )
  expect(headers).toHaveLength(6)
  let harmless = 0
  for (const header of headers) {
    for (let bit = 0; bit < 512 * 8; bit++) {
      const at = header * 512 + (bit >> 3)
      const flipped = Buffer.from(archive)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7))
      try {
        expect(await unpack(flipped)).toEqual(whole)
        harmless++
      } catch (error) {
        expect(error, `bit ${bit} of header ${header}`).toMatchObject({ code: 'corrupt' })
      }
    }
  }
  // A zero of the checksum that becomes a blank, and the like.
  expect(harmless).toBeLessThan(6 * 40)
})

test('bytes that are overwritten give entries or a TarError, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.boolean(),
      async (changes, mended) => {
        const changed = Buffer.from(archive)
        for (const [at, byte] of changes) changed[at] = byte
        if (mended) mendChecksums(changed)
        try {
          await unpack(changed)
        } catch (error) {
          expect(error).toBeInstanceOf(TarError)
        }
      },
    ),
    { numRuns: 3000 },
  )
})

/** As an attacker would: with checksums that are right. */
function mendChecksums(tar: Buffer): void {
  for (let at = 0; at < tar.length; at += 512) {
    if (tar.toString('latin1', at + 257, at + 262) !== 'ustar') continue
    tar.fill(' ', at + 148, at + 156)
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0`, at + 148, 'latin1')
  }
}
