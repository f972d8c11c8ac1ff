import { openSealed, type VaultKeys } from '@pipe-backup/crypto'
import { runKeyId, type SealedRunKey } from '../format/pack-format.ts'
import { readPackHeader } from '../store/read-pack-header.ts'
import { VaultError } from '../vault-error.ts'
import type { ChunkLocation } from './chunk-locations.ts'

/** The run keys of packs, opened with the vault's own. */
export class RunKeys {
  readonly #keys: VaultKeys
  /** By sink and pack: nothing vouches for a header, and what one sink says of it must not be believed of another's. */
  readonly #ofPacks = new Map<string, Promise<readonly Uint8Array[]>>()
  readonly #opened = new Map<string, Uint8Array>()

  constructor(keys: VaultKeys) {
    this.#keys = keys
  }

  /**
   * The key that a chunk is sealed with.
   * @param where - names the pack and the sink that it is read from
   * @param start - reads so many bytes from the start of the pack, into memory of their own
   * @throws VaultError `corrupt`; whatever `start` throws
   */
  async of(
    { chunk }: ChunkLocation,
    where: string,
    start: (length: number) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const known = this.#ofPacks.get(where)
    const reading = known ?? this.#read(start, chunk.offset)
    if (!known) {
      this.#ofPacks.set(where, reading)
      // It is asked again; whoever waits is given the error.
      reading.catch(() => this.forget(where))
    }
    const runKey = (await reading)[chunk.runKey]
    if (!runKey) throw new VaultError('corrupt', 'a chunk names a run key that its pack does not have')
    return runKey
  }

  async #read(
    start: (length: number) => Promise<Uint8Array>,
    maxBytes: number,
  ): Promise<readonly Uint8Array[]> {
    const { runKeys } = await readPackHeader(start, maxBytes)
    return await Promise.all(runKeys.map((runKey) => this.open(runKey)))
  }

  /** Of a pack that did not open: what its header says is asked again. */
  forget(where: string): void {
    this.#ofPacks.delete(where)
  }

  /** A run key, from the first of its boxes that opens to it. @throws VaultError `corrupt` where none does */
  async open({ id, boxes }: SealedRunKey): Promise<Uint8Array> {
    const name = Buffer.from(id).toString('hex')
    const known = this.#opened.get(name)
    if (known) return known
    for (const box of boxes) {
      try {
        const runKey = await openSealed(this.#keys, box)
        if (Buffer.compare(runKeyId(runKey), id) !== 0) continue
        this.#opened.set(name, runKey)
        return runKey
      } catch {
        // For another recipient.
      }
    }
    throw new VaultError('corrupt', 'no run key in its header opens with this phrase')
  }
}
