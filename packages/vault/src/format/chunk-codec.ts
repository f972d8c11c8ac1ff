import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { openAead, sealAead } from '@pipe-backup/crypto'
import { discard, OWN_MEMORY_BYTES } from '../discard.ts'
import { VaultError } from '../vault-error.ts'

/** What a chunk holds (docs/format.md section 5). */
export const ChunkKind = { data: 0, manifestNode: 1, extentNode: 2 } as const
export type ChunkKind = (typeof ChunkKind)[keyof typeof ChunkKind]

export const CHUNK_ID_BYTES = 32
/** No chunk is longer than this, plain. */
export const MAX_CHUNK_BYTES: number = 16 * 1024 * 1024
/** What sealing adds at most: nonce, tag and codec. */
export const CHUNK_OVERHEAD_BYTES = 41

const STORED = Uint8Array.of(0)
const ZSTD = Uint8Array.of(1)
const AAD_PREFIX = Buffer.from('PBCHUNK\x01', 'latin1')

/**
 * Level 1 keeps up with three local disks on two cores; level 3 stores a tenth less for half as much time again
 * (docs/benchmarks.md).
 */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_contentSizeFlag]: 1 }

/** One piece of output, whatever comes out, so that its memory can be given back: see ZSTD_COMPRESSBOUND in zstd.h. */
function compress(plain: Uint8Array): Uint8Array {
  const bound = plain.length + (plain.length >> 8) + 128
  return zstdCompressSync(plain, { chunkSize: Math.max(bound, OWN_MEMORY_BYTES), params: PARAMS })
}

function aadOf(kind: number, id: Uint8Array): Buffer {
  const aad = Buffer.allocUnsafe(AAD_PREFIX.length + 1 + CHUNK_ID_BYTES)
  aad.set(AAD_PREFIX)
  aad[AAD_PREFIX.length] = kind
  aad.set(id, AAD_PREFIX.length + 1)
  return aad
}

/**
 * Compresses a chunk where that makes it smaller, and seals it into `out`.
 * @returns how many bytes were written at `offset`: at most the plain length and CHUNK_OVERHEAD_BYTES
 */
export function sealChunk(
  runKey: Uint8Array,
  kind: ChunkKind,
  id: Uint8Array,
  plain: Uint8Array,
  out: Uint8Array,
  offset: number,
): number {
  const aad = aadOf(kind, id)
  if (worthCompressing(plain)) {
    const packed = compress(plain)
    const length =
      packed.length < plain.length ? sealAead(runKey, [ZSTD, packed], aad, out, offset) : undefined
    discard(packed)
    if (length !== undefined) return length
  }
  return sealAead(runKey, [STORED, plain], aad, out, offset)
}

const PROBE_BYTES = 16 * 1024

/** Finds out cheaply: of a long chunk a piece of the middle is tried first, and what is random there is taken to be random. */
function worthCompressing(plain: Uint8Array): boolean {
  if (plain.length < 64) return false
  if (plain.length < 8 * PROBE_BYTES) return true
  for (const at of [plain.length >> 2, plain.length >> 1, (plain.length >> 2) * 3]) {
    const probe = plain.subarray(at, at + PROBE_BYTES)
    const packed = compress(probe)
    const { length } = packed
    discard(packed)
    if (length < PROBE_BYTES * 0.97) return true
  }
  return false
}

/**
 * Opens a sealed chunk. The caller still compares the id: see `openChunk` in open-chunk users.
 * @param scratch - memory to decrypt into; what is returned may be a part of it
 * @throws CryptoError `tampered` or `truncated`; VaultError `corrupt`
 */
export function unsealChunk(
  runKey: Uint8Array,
  kind: number,
  id: Uint8Array,
  sealed: Uint8Array,
  rawLength: number,
  scratch?: Uint8Array,
): Uint8Array {
  const opened = openAead(runKey, sealed, aadOf(kind, id), scratch)
  const payload = opened.subarray(1)
  const plain = opened[0] === 1 ? inflate(payload, rawLength) : payload
  if ((opened[0] ?? 2) > 1) throw new VaultError('corrupt', `a chunk has the unknown codec ${opened[0]}`)
  if (plain.length !== rawLength)
    throw new VaultError('corrupt', 'a chunk has another length than its footer says')
  return plain
}

function inflate(payload: Uint8Array, rawLength: number): Uint8Array {
  try {
    return zstdDecompressSync(payload, {
      chunkSize: Math.max(rawLength + 1, OWN_MEMORY_BYTES),
      maxOutputLength: Math.max(rawLength, 1),
    })
  } catch (cause) {
    throw new VaultError('corrupt', 'a chunk does not decompress', { cause })
  }
}
