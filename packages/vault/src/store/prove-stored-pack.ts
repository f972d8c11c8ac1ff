import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import type { Sink } from '@pipe-backup/sink'
import { packKey } from '../format/pack-format.ts'
import { getObject } from './read-sink.ts'

export interface PackProof {
  readonly isWhole: boolean
  readonly bytesRead: number
  /** Where it was read whole into memory. */
  readonly pack?: Uint8Array | undefined
}

/** After so many objects without one, a provider is taken to give no SHA-256 of its own. */
const ASK_FOR_SHA256 = 3

/** Proves packs of one sink, by the provider's own SHA-256 where it gives one, else by reading. */
export class StoredPackProver {
  readonly #sink: Sink
  #withoutSha256 = 0

  constructor(sink: Sink) {
    this.#sink = sink
  }

  /** @throws SinkError */
  async prove(name: string, signal: AbortSignal | undefined): Promise<PackProof> {
    const key = packKey(name)
    const options = { signal }
    if (this.#withoutSha256 < ASK_FOR_SHA256) {
      const info = await this.#sink.head(key, options)
      if (info?.sha256 === name) return { isWhole: true, bytesRead: 0 }
      if (info?.sha256 === undefined) this.#withoutSha256++
    }
    const hash = createHash('sha256')
    let bytesRead = 0
    await pipeline(
      await this.#sink.createReadStream(key, options),
      async (pieces: AsyncIterable<Uint8Array>) => {
        for await (const piece of pieces) {
          hash.update(piece)
          bytesRead += piece.length
        }
      },
      options,
    )
    return { isWhole: hash.digest('hex') === name, bytesRead }
  }

  /** Reads it whole, for who wants to look into it. @throws SinkError */
  async read(name: string, signal: AbortSignal | undefined): Promise<PackProof> {
    const pack = await getObject(this.#sink, packKey(name), signal)
    const isWhole = createHash('sha256').update(pack).digest('hex') === name
    return { isWhole, bytesRead: pack.length, pack }
  }
}
