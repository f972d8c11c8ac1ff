import { randomBytes } from 'node:crypto'
import { SIGNED_BYTES } from '@pipe-backup/crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flips, outcomeOf, truncations } from '../test-support/outcome.ts'
import { HOST } from '../test-support/test-host.ts'
import { MAX_CHUNK_BYTES } from './chunk-codec.ts'
import {
  decodeFooterContent,
  decodePackEnd,
  decodePackHeader,
  encodeFooterContent,
  encodePackHeader,
  footerBytes,
  openFooter,
  PACK_END_BYTES,
  type PackChunk,
  type PackFooter,
  packKey,
  packNameOf,
  writePackFooter,
} from './pack-format.ts'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const runKey = fc.record({ id: bytesOf(16), boxes: fc.array(bytesOf(80), { minLength: 1, maxLength: 4 }) })
const header = fc.array(runKey, { minLength: 1, maxLength: 5 })
const u32 = fc.nat(0xffffffff)
const chunk: fc.Arbitrary<PackChunk> = fc.record({
  kind: fc.constantFrom(0 as const, 1 as const, 2 as const),
  runKey: fc.nat(0xffff),
  offset: u32,
  length: fc.nat(MAX_CHUNK_BYTES + 41),
  rawLength: fc.nat(MAX_CHUNK_BYTES),
  id: bytesOf(32),
})
const footer = fc.record({ hostId: bytesOf(16), chunks: fc.array(chunk, { maxLength: 20 }) })
/** With plain arrays of bytes, so that a Buffer and a Uint8Array compare. */
const plain = ({ hostId, chunks }: PackFooter) => ({
  hostId: Uint8Array.from(hostId),
  chunks: chunks.map((entry) => ({ ...entry, id: Uint8Array.from(entry.id) })),
})

test('a header is read as it was written, whatever follows it', () => {
  fc.assert(
    fc.property(header, fc.uint8Array(), (runKeys, rest) => {
      const bytes = encodePackHeader(runKeys)
      const read = decodePackHeader(Buffer.concat([bytes, rest]))
      expect(read.length).toBe(bytes.length)
      expect(read.runKeys.map(({ id, boxes }) => [...id, ...boxes.flatMap((box) => [...box])])).toEqual(
        runKeys.map(({ id, boxes }) => [...id, ...boxes.flatMap((box) => [...box])]),
      )
    }),
  )
})

test('a header that was cut anywhere is corrupt', () => {
  const bytes = encodePackHeader([{ id: randomBytes(16), boxes: [randomBytes(80), randomBytes(80)] }])
  for (const { damaged } of truncations(bytes))
    expect(outcomeOf(() => decodePackHeader(damaged))).toBe('corrupt')
})

test('a header of another version is refused by its version, one without its name as no pack', () => {
  const bytes = encodePackHeader([{ id: randomBytes(16), boxes: [randomBytes(80)] }])
  const newer = Buffer.from(bytes)
  newer[7] = 2
  expect(() => decodePackHeader(newer)).toThrow(
    expect.objectContaining({ code: 'unsupported-version', message: expect.stringContaining('version 2') }),
  )
  for (const { at, damaged } of flips(bytes.subarray(0, 8)))
    expect([at, outcomeOf(() => decodePackHeader(damaged))]).toEqual([at, 'corrupt'])
})

test('a header without a run key, or a run key without a recipient, is corrupt', () => {
  expect(outcomeOf(() => decodePackHeader(encodePackHeader([])))).toBe('corrupt')
  expect(outcomeOf(() => decodePackHeader(encodePackHeader([{ id: randomBytes(16), boxes: [] }])))).toBe(
    'corrupt',
  )
})

test("a footer's content is read as it was written", () => {
  fc.assert(
    fc.property(footer, (written) => {
      const bytes = encodeFooterContent(written)
      expect(footerBytes(written.chunks.length)).toBe(SIGNED_BYTES + bytes.length + 40 + PACK_END_BYTES)
      expect(plain(decodeFooterContent(bytes))).toEqual(plain(written))
    }),
  )
})

test("a footer's content that is too short or too long by any number of bytes is corrupt", () => {
  fc.assert(
    fc.property(footer, fc.nat(), fc.uint8Array({ minLength: 1 }), (written, cut, more) => {
      const bytes = encodeFooterContent(written)
      expect(outcomeOf(() => decodeFooterContent(bytes.subarray(0, cut % bytes.length)))).toBe('corrupt')
      expect(outcomeOf(() => decodeFooterContent(Buffer.concat([bytes, more])))).toBe('corrupt')
    }),
  )
})

test('bytes of any kind are a header, a footer, an end, or corrupt', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const named = Buffer.concat([Buffer.from('PBPACK\x00\x01', 'latin1'), bytes])
      expect(['returned', 'corrupt']).toContain(outcomeOf(() => decodePackHeader(named)))
      expect(['returned', 'corrupt']).toContain(outcomeOf(() => decodeFooterContent(bytes)))
      expect(['returned', 'corrupt']).toContain(outcomeOf(() => decodePackEnd(bytes, 1000)))
    }),
    { numRuns: 500 },
  )
})

test('hostile numbers of a footer are refused before memory is taken for them', () => {
  const content = encodeFooterContent({ hostId: randomBytes(16), chunks: [] })
  content.writeUInt32LE(0xffffffff, 16)
  expect(outcomeOf(() => decodeFooterContent(content))).toBe('corrupt')
  const one = {
    kind: 0,
    runKey: 0,
    offset: 0,
    length: 1,
    rawLength: MAX_CHUNK_BYTES + 1,
    id: randomBytes(32),
  } as const
  expect(
    outcomeOf(() => decodeFooterContent(encodeFooterContent({ hostId: randomBytes(16), chunks: [one] }))),
  ).toBe('corrupt')
  const unknown = encodeFooterContent({ hostId: randomBytes(16), chunks: [{ ...one, rawLength: 1 }] })
  unknown[20] = 3
  expect(outcomeOf(() => decodeFooterContent(unknown))).toBe('corrupt')
})

test('a footer opens behind its own header alone, at its own end', () => {
  const start = encodePackHeader([{ id: randomBytes(16), boxes: [randomBytes(80)] }])
  const content = encodeFooterContent({ hostId: randomBytes(16), chunks: [] })
  const pack = Buffer.alloc(start.length + footerBytes(0))
  pack.set(start)
  expect(writePackFooter(HOST, start, content, pack, start.length)).toBe(pack.length)
  const end = pack.subarray(-PACK_END_BYTES)
  const length = decodePackEnd(end, pack.length)
  const sealed = pack.subarray(start.length, start.length + length)
  expect(openFooter(HOST.keys, 'name', start, sealed)).toEqual(content)
  for (const { damaged } of flips(start))
    expect(outcomeOf(() => openFooter(HOST.keys, 'name', damaged, sealed))).toBe('tampered')
  for (const { damaged } of flips(sealed))
    expect(outcomeOf(() => openFooter(HOST.keys, 'name', start, damaged))).toBe('tampered')
  for (const { damaged } of flips(end.subarray(4)))
    expect(
      outcomeOf(() => decodePackEnd(Buffer.concat([end.subarray(0, 4), damaged]), pack.length)),
    ).not.toBe('returned')
})

test("of a revoked host the own packs are believed, and in another's name those that were there", () => {
  const start = encodePackHeader([{ id: randomBytes(16), boxes: [randomBytes(80)] }])
  const sealedBy = (hostId: Uint8Array) => {
    const content = encodeFooterContent({ hostId, chunks: [] })
    const pack = Buffer.alloc(start.length + footerBytes(0))
    writePackFooter(HOST, start, content, pack, start.length)
    return pack.subarray(start.length, pack.length - PACK_END_BYTES)
  }
  const keys = { ...HOST.keys, revoked: new Map([[HOST.hostId, new Set(['known'])]]) }
  const own = sealedBy(Buffer.from(HOST.hostId, 'hex'))
  const foreign = sealedBy(randomBytes(16))
  expect(outcomeOf(() => openFooter(keys, 'new', start, own))).toBe('returned')
  expect(outcomeOf(() => openFooter(keys, 'known', start, foreign))).toBe('returned')
  expect(outcomeOf(() => openFooter(keys, 'new', start, foreign))).toBe('revoked')
})

test.for([0xffffffff, 64 * 1024 * 1024 + 1, 981])(
  'a footer of %i bytes is refused in a pack of 1000',
  (length) => {
    const end = Buffer.from('00000000PBEND\x00\x00\x01', 'latin1').subarray(4)
    end.writeUInt32LE(length)
    expect(outcomeOf(() => decodePackEnd(end, 1000))).toBe('corrupt')
  },
)

test('a key is a pack’s only where both of its parts agree', () => {
  const name = 'ab'.repeat(32)
  expect(packNameOf(packKey(name))).toBe(name)
  for (const key of [
    `packs/ac/${name}`,
    `packs/ab/${name}0`,
    `packs/ab/${name.slice(1)}`,
    `packs/ab/AB${name.slice(2)}`,
  ])
    expect(packNameOf(key)).toBeUndefined()
})
