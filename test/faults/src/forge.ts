import { createHash } from 'node:crypto'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { AEAD_OVERHEAD_BYTES, openAead, sealAead, signDetached, type VaultKeys } from '@pipe-backup/crypto'
import type { VaultHost } from '@pipe-backup/vault'

// Written from docs/format.md alone, as whoever has stolen the keys of a host would.

/** Whoever signs: with a certificate that need not be right for it. */
export type Signer = VaultHost['signer']

const MAGIC_BYTES = 8
const SIGNED_BYTES = 16 + 1 + 32 + 64 + 64
const END_BYTES = 4 + 8
const FOOTER_HEAD_BYTES = 16 + 4
const CHUNK_BYTES = 1 + 2 + 4 + 4 + 4 + 32

/** What a sealed object says (section 3). */
export function contentOf(keys: VaultKeys, key: string, object: Uint8Array): Buffer {
  const signed = openAead(keys.indexKey, object.subarray(MAGIC_BYTES), Buffer.from(key))
  return zstdDecompressSync(signed.subarray(SIGNED_BYTES))
}

/** A sealed object that says this, signed by whomever. */
export function sealedObject(keys: VaultKeys, signer: Signer, key: string, content: Uint8Array): Buffer {
  const signed = signedBy(signer, `pipe-backup object 1\n${key}`, zstdCompressSync(content))
  return Buffer.concat([Buffer.from('PBOBJ\0\0\u0001', 'latin1'), sealed(keys, signed, Buffer.from(key))])
}

/** A pack whose footer says that it has its first chunk alone, signed by whomever (section 5). */
export function forgedPack(keys: VaultKeys, signer: Signer, pack: Buffer): Buffer {
  const header = pack.subarray(0, headerBytes(pack))
  const endAt = pack.length - END_BYTES
  const footerAt = endAt - pack.readUInt32LE(endAt)
  const aad = Buffer.concat([Buffer.from('PBFOOTER'), header])
  const content = openAead(keys.indexKey, pack.subarray(footerAt, endAt), aad).subarray(SIGNED_BYTES)
  const label = `pipe-backup footer 1\n${createHash('sha256').update(header).digest('hex')}`
  const footer = sealed(keys, signedBy(signer, label, firstChunkOf(content)), aad)
  const end = Buffer.from(pack.subarray(endAt))
  end.writeUInt32LE(footer.length)
  return Buffer.concat([pack.subarray(0, footerAt), footer, end])
}

/** An index that says of each of its packs that it has its first chunk alone (section 6). */
export function falseIndex(content: Buffer): Buffer {
  const parts: Uint8Array[] = [content.subarray(0, 4)]
  let at = 4
  for (let left = content.readUInt32LE(0); left > 0; left--) {
    const bytes = content.readUInt32LE(at + 36)
    const footer = firstChunkOf(content.subarray(at + 40, at + 40 + bytes))
    const length = Buffer.alloc(4)
    length.writeUInt32LE(footer.length)
    parts.push(content.subarray(at, at + 36), length, footer)
    at += 40 + bytes
  }
  return Buffer.concat(parts)
}

function firstChunkOf(footer: Uint8Array): Buffer {
  const first = Buffer.from(footer.subarray(0, FOOTER_HEAD_BYTES + CHUNK_BYTES))
  first.writeUInt32LE(1, 16)
  return first
}

function headerBytes(pack: Buffer): number {
  let at = 10
  for (let left = pack.readUInt16LE(8); left > 0; left--) at += 18 + 80 * pack.readUInt16LE(at + 16)
  return at
}

function signedBy({ seed, certificate }: Signer, label: string, bytes: Uint8Array): Buffer {
  const digest = createHash('sha256').update(bytes).digest()
  const signature = signDetached(seed, Buffer.concat([Buffer.from(`${label}\n`), digest]))
  return Buffer.concat([certificate, signature, bytes])
}

function sealed({ indexKey }: VaultKeys, plain: Uint8Array, aad: Uint8Array): Buffer {
  const out = Buffer.alloc(plain.length + AEAD_OVERHEAD_BYTES)
  sealAead(indexKey, plain, aad, out, 0)
  return out
}
