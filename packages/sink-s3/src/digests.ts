import { createHash } from 'node:crypto'

/** What bytes hash to, computed when first asked for: MD5 costs three times as much as SHA-256. */
export class Digests {
  readonly #bytes: Uint8Array
  #sha256: Buffer | undefined
  #md5: Buffer | undefined

  /** @param sha256 - in hex, where it is known */
  constructor(bytes: Uint8Array, sha256?: string) {
    this.#bytes = bytes
    if (sha256 !== undefined) this.#sha256 = Buffer.from(sha256, 'hex')
  }

  get sha256(): Buffer {
    this.#sha256 ??= createHash('sha256').update(this.#bytes).digest()
    return this.#sha256
  }

  get md5(): Buffer {
    this.#md5 ??= createHash('md5').update(this.#bytes).digest()
    return this.#md5
  }
}

/** What an answer says of the object that the store has. */
export interface StoredAnswer {
  readonly ETag?: string | undefined
  readonly ChecksumSHA256?: string | undefined
}

export type Algorithm = 'sha256' | 'md5'

/**
 * What an answer proves of the bytes that were sent. A checksum that was sent proves nothing before it is echoed: a store that does not
 * know the header takes wrong ones. The ETag is the MD5 of what is stored, but not of everything everywhere (SSE-KMS, some
 * stores): one that is the MD5 proves, one that is not says nothing.
 * @param digest - of what was sent, where it is known; for an object of parts, of their digests one after the other
 * @param parts - how many; 0 for an object that came whole
 */
export function proofOf(
  answer: StoredAnswer,
  digest: (algorithm: Algorithm) => Buffer | undefined,
  parts = 0,
): 'proven' | 'wrong' | 'unknown' {
  const echoed = answer.ChecksumSHA256?.replace(/-\d+$/, '')
  const sha256 = echoed === undefined ? undefined : digest('sha256')
  if (sha256) return echoed === sha256.toString('base64') ? 'proven' : 'wrong'
  const eTag = answer.ETag?.replaceAll('"', '').toLowerCase()
  const md5 = eTag ? digest('md5') : undefined
  return md5 && eTag === `${md5.toString('hex')}${parts === 0 ? '' : `-${parts}`}` ? 'proven' : 'unknown'
}
