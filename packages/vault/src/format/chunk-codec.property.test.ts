import { randomBytes } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { chunkId, openAead, sealAead } from '@pipe-backup/crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flips, outcomeOf, truncations } from '../test-support/outcome.ts'
import { CHUNK_OVERHEAD_BYTES, ChunkKind, sealChunk, unsealChunk } from './chunk-codec.ts'

const runKey = Uint8Array.from(randomBytes(32))
const idKey = Uint8Array.from(randomBytes(32))
const kind = fc.constantFrom(...Object.values(ChunkKind))
const content = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.tuple(fc.string({ minLength: 1 }), fc.nat(300_000)).map(([text, size]) => Buffer.alloc(size, text)),
  fc.nat(300_000).map((size) => randomBytes(size)),
)

function seal(chunkKind: ChunkKind, plain: Uint8Array): { id: Uint8Array; sealed: Buffer } {
  const id = chunkId(idKey, plain)
  const out = Buffer.alloc(plain.length + CHUNK_OVERHEAD_BYTES)
  return { id, sealed: out.subarray(0, sealChunk(runKey, chunkKind, id, plain, out, 0)) }
}

/** Seals a payload that no writer of ours would. */
function sealPayload(id: Uint8Array, payload: Uint8Array): Buffer {
  const aad = Buffer.concat([Buffer.from('PBCHUNK\x01\x00', 'latin1'), id])
  const out = Buffer.alloc(payload.length + 40)
  sealAead(runKey, payload, aad, out, 0)
  return out
}

test('a chunk opens to what was sealed, and takes at most its length and the overhead', () => {
  fc.assert(
    fc.property(kind, content, (chunkKind, plain) => {
      const { id, sealed } = seal(chunkKind, plain)
      expect(Buffer.compare(unsealChunk(runKey, chunkKind, id, sealed, plain.length), plain)).toBe(0)
      const scratch = Buffer.alloc(sealed.length)
      expect(Buffer.compare(unsealChunk(runKey, chunkKind, id, sealed, plain.length, scratch), plain)).toBe(0)
    }),
    { numRuns: 60 },
  )
})

test('a frame says in its header how long its content is', () => {
  const plain = Buffer.alloc(70_000, 'compressible ')
  const { id, sealed } = seal(ChunkKind.data, plain)
  const opened = openAead(runKey, sealed, Buffer.concat([Buffer.from('PBCHUNK\x01\x00', 'latin1'), id]))
  expect(opened[0]).toBe(1)
  expect(Buffer.from(opened.subarray(1, 5)).toString('hex')).toBe('28b52ffd')
  const descriptor = opened[5] ?? 0
  const singleSegment = (descriptor & 0x20) !== 0
  const at = singleSegment ? 6 : 7
  expect(descriptor >> 6).toBe(2)
  expect(Buffer.from(opened).readUInt32LE(at)).toBe(plain.length)
})

test('a chunk does not open as another kind, id, length or under another key', () => {
  const plain = Buffer.from('some plain bytes')
  const { id, sealed } = seal(ChunkKind.data, plain)
  const other = chunkId(idKey, Buffer.from('others'))
  expect(outcomeOf(() => unsealChunk(runKey, ChunkKind.manifestNode, id, sealed, plain.length))).toBe(
    'tampered',
  )
  expect(outcomeOf(() => unsealChunk(runKey, ChunkKind.data, other, sealed, plain.length))).toBe('tampered')
  expect(outcomeOf(() => unsealChunk(randomBytes(32), ChunkKind.data, id, sealed, plain.length))).toBe(
    'tampered',
  )
  for (const length of [0, 15, 17, 16 * 1024 * 1024])
    expect(outcomeOf(() => unsealChunk(runKey, ChunkKind.data, id, sealed, length))).toBe('corrupt')
})

test('flipping or cutting any byte of a sealed chunk is found', () => {
  for (const plain of [Buffer.from('short'), Buffer.alloc(200, 'compressible ')]) {
    const { id, sealed } = seal(ChunkKind.data, plain)
    const open = (bytes: Uint8Array) =>
      outcomeOf(() => unsealChunk(runKey, ChunkKind.data, id, bytes, plain.length))
    for (const { at, damaged } of flips(sealed)) expect([at, open(damaged)]).toEqual([at, 'tampered'])
    for (const { damaged } of truncations(sealed)) expect(['truncated', 'tampered']).toContain(open(damaged))
  }
})

test('a sealed payload that is no chunk is corrupt: no codec, an unknown one, a frame that is none, too short, or a bomb', () => {
  const id = randomBytes(32)
  const bomb = zstdCompressSync(Buffer.alloc(200 * 1024 * 1024))
  const short = zstdCompressSync(Buffer.alloc(99))
  for (const payload of [
    Buffer.alloc(0),
    Buffer.concat([Buffer.of(2), Buffer.alloc(100)]),
    Buffer.concat([Buffer.of(1), Buffer.alloc(100)]),
    Buffer.concat([Buffer.of(1), bomb]),
    Buffer.concat([Buffer.of(1), short]),
    Buffer.concat([Buffer.of(1), short.subarray(0, -1)]),
    Buffer.concat([Buffer.of(0), Buffer.alloc(99)]),
    Buffer.of(1),
  ])
    expect(outcomeOf(() => unsealChunk(runKey, ChunkKind.data, id, sealPayload(id, payload), 100))).toBe(
      'corrupt',
    )
})
