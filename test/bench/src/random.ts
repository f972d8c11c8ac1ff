import { createCipheriv, createHash } from 'node:crypto'

/** A generator of uint32, seeded by labels: the same labels give the same numbers for ever. */
export type Random = () => number

/** sfc32 of Chris Doty-Humphrey's PractRand, seeded by the SHA-256 of the labels. */
export function random(...labels: (string | number)[]): Random {
  const seed = createHash('sha256').update(labels.join('\0')).digest()
  let a = seed.readUInt32LE(0)
  let b = seed.readUInt32LE(4)
  let c = seed.readUInt32LE(8)
  let d = seed.readUInt32LE(12)
  const next = () => {
    const t = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** Bytes that do not compress: an AES-256-CTR key stream. Called again it goes on. */
export function randomBytes(...labels: (string | number)[]): (bytes: number) => Buffer {
  const key = createHash('sha256').update(labels.join('\0')).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return (bytes) => cipher.update(Buffer.alloc(bytes))
}

/** One of them, each as likely. */
export function pick<T>(next: Random, items: readonly T[]): T {
  const item = items[next() % items.length]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}

/** One of them, the first far more often, as words are in a text. */
export function pickEarly<T>(next: Random, items: readonly T[]): T {
  const at = Math.floor(items.length ** (next() / 2 ** 32)) - 1 + (next() & 1)
  const item = items[Math.min(items.length - 1, at)]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}
