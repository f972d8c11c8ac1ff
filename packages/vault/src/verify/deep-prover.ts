import { createHash } from 'node:crypto'
import { chunkId, openSealed, type VaultKeys } from '@pipe-backup/crypto'
import { discard } from '../discard.ts'
import { ChunkKind, unsealChunk } from '../format/chunk-codec.ts'
import {
  decodeFooterContent,
  decodePackEnd,
  decodePackHeader,
  openFooter,
  PACK_END_BYTES,
  runKeyId,
  type SealedRunKey,
} from '../format/pack-format.ts'
import { derivedKeys } from '../format/vault-host.ts'
import { VaultError } from '../vault-error.ts'

/** Opens packs to the last chunk. Each once: the same SHA-256 means the same bytes, wherever they are. */
export class DeepProver {
  readonly #keys: VaultKeys
  readonly #nodeIdKey: Uint8Array
  readonly #runKeys = new Map<string, Uint8Array>()
  readonly #done = new Map<string, Promise<string | undefined>>()
  readonly #footers = new Map<string, string>()

  static async open(keys: VaultKeys): Promise<DeepProver> {
    return new DeepProver(keys, (await derivedKeys(keys)).nodeIdKey)
  }

  private constructor(keys: VaultKeys, nodeIdKey: Uint8Array) {
    this.#keys = keys
    this.#nodeIdKey = nodeIdKey
  }

  /** @param pack - its bytes, which have been proven to be those of its name @returns what is wrong with it, or undefined */
  prove(name: string, pack: Uint8Array): Promise<string | undefined> {
    let proof = this.#done.get(name)
    if (!proof) {
      proof = this.#open(name, pack).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      this.#done.set(name, proof)
    }
    return proof
  }

  /** Whether an index says of a pack what its footer says. True of one that was not opened: nothing is known against it. */
  isFooterOf(name: string, digest: string): boolean {
    return (this.#footers.get(name) ?? digest) === digest
  }

  async #open(name: string, pack: Uint8Array): Promise<void> {
    const endAt = pack.length - PACK_END_BYTES
    const footerAt = endAt - decodePackEnd(pack.subarray(endAt), pack.length)
    const { runKeys, length } = decodePackHeader(pack)
    const header = pack.subarray(0, length)
    const footer = openFooter(this.#keys, name, header, pack.subarray(footerAt, endAt))
    this.#footers.set(name, footerDigest(footer))
    const keys = await Promise.all(runKeys.map((runKey) => this.#openRunKey(runKey)))
    for (const [i, chunk] of decodeFooterContent(footer).chunks.entries()) {
      const runKey = keys[chunk.runKey]
      if (!runKey) throw new VaultError('corrupt', `chunk ${i} names a run key that the pack does not have`)
      if (chunk.offset < length || chunk.offset + chunk.length > footerAt)
        throw new VaultError('corrupt', `chunk ${i} does not lie between header and footer`)
      const sealed = pack.subarray(chunk.offset, chunk.offset + chunk.length)
      const plain = unsealChunk(runKey, chunk.kind, chunk.id, sealed, chunk.rawLength)
      const idKey = chunk.kind === ChunkKind.data ? this.#keys.idKey : this.#nodeIdKey
      const isRight = Buffer.compare(chunkId(idKey, plain), chunk.id) === 0
      discard(plain)
      if (!isRight) throw new VaultError('corrupt', `chunk ${i} is not what its id says`)
    }
  }

  async #openRunKey({ id, boxes }: SealedRunKey): Promise<Uint8Array> {
    const name = Buffer.from(id).toString('hex')
    const known = this.#runKeys.get(name)
    if (known) return known
    for (const box of boxes) {
      const runKey = await openSealed(this.#keys, box).catch(() => undefined)
      if (!runKey || Buffer.compare(runKeyId(runKey), id) !== 0) continue
      this.#runKeys.set(name, runKey)
      return runKey
    }
    throw new VaultError('corrupt', 'no run key in its header opens with this phrase')
  }
}

/** @param footer - its content, opened */
export function footerDigest(footer: Uint8Array): string {
  return createHash('sha256').update(footer).digest('base64')
}
