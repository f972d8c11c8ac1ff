import { createHash } from 'node:crypto'
import type { VaultKeys } from '@pipe-backup/crypto'
import { copyBytes } from '../copy-bytes.ts'
import {
  decodeFooterContent,
  decodePackEnd,
  decodePackHeader,
  openFooter,
  PACK_END_BYTES,
} from '../format/pack-format.ts'
import { type IdKeys, proveChunk } from '../format/prove-chunk.ts'
import { derivedKeys } from '../format/vault-host.ts'
import type { BatchPiece } from '../restore/open-messages.ts'
import { OpenPool } from '../restore/open-pool.ts'
import { RunKeys } from '../restore/run-keys.ts'
import { VaultError } from '../vault-error.ts'

/** So many bytes of packs are worth threads: they take a tenth of a second to start. */
const THREADS_FROM_BYTES = 16 * 1024 * 1024
/** Memory for a pack on its way to a thread, which is used again. What does not fit is opened on this one. */
const SHARED_BYTES = 12 * 1024 * 1024

/** Opens packs to the last chunk, on this thread and others. Each once: the same SHA-256 means the same bytes, wherever they are. */
export class DeepProver implements AsyncDisposable {
  readonly #keys: VaultKeys
  readonly #idKeys: IdKeys
  readonly #pool: OpenPool
  readonly #memory: SharedArrayBuffer[] = []
  readonly #runKeys: RunKeys
  readonly #done = new Map<string, Promise<string | undefined>>()
  readonly #footers = new Map<string, string>()
  #bytes = 0

  static async open(keys: VaultKeys): Promise<DeepProver> {
    return new DeepProver(keys, (await derivedKeys(keys)).nodeIdKey)
  }

  private constructor(keys: VaultKeys, nodeIdKey: Uint8Array) {
    this.#keys = keys
    this.#runKeys = new RunKeys(keys)
    this.#idKeys = { idKey: keys.idKey, nodeIdKey }
    this.#pool = new OpenPool(this.#idKeys, () => undefined)
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
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
    const keys = await Promise.all(runKeys.map((runKey) => this.#runKeys.open(runKey)))
    const pieces = decodeFooterContent(footer).chunks.map((chunk, i) => {
      const runKey = keys[chunk.runKey]
      if (!runKey) throw new VaultError('corrupt', `chunk ${i} names a run key that the pack does not have`)
      if (chunk.offset < length || chunk.offset + chunk.length > footerAt)
        throw new VaultError('corrupt', `chunk ${i} does not lie between header and footer`)
      return { runKey, chunk, from: chunk.offset, to: 0 }
    })
    await this.#openChunks(pieces, pack)
  }

  async #openChunks(pieces: readonly BatchPiece[], pack: Uint8Array): Promise<void> {
    this.#bytes += pack.length
    if (this.#bytes >= THREADS_FROM_BYTES) this.#pool.start()
    const isShared = pack.length <= SHARED_BYTES && this.#pool.hasRoom
    const opened = isShared ? await this.#openElsewhere(pieces, pack) : []
    // What no thread has opened is opened here, where it can be said what is wrong.
    for (const [i, { runKey, chunk, from }] of pieces.entries())
      if (!opened[i] && !proveChunk(this.#idKeys, runKey, chunk, pack.subarray(from, from + chunk.length)))
        throw new VaultError('corrupt', `chunk ${i} is not what its id says`)
  }

  async #openElsewhere(pieces: readonly BatchPiece[], pack: Uint8Array): Promise<readonly boolean[]> {
    const sealed = this.#memory.pop() ?? new SharedArrayBuffer(SHARED_BYTES)
    copyBytes(pack, new Uint8Array(sealed))
    const begun = new Int32Array(new SharedArrayBuffer(4 * pieces.length))
    const done = await this.#pool.open({ sealed, pieces, begun })
    this.#memory.push(sealed)
    return done?.opened ?? []
  }
}

/** @param footer - its content, opened */
export function footerDigest(footer: Uint8Array): string {
  return createHash('sha256').update(footer).digest('base64')
}
