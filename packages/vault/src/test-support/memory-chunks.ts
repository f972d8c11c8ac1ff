import { randomBytes } from 'node:crypto'
import { chunkId, sealTo, type VaultKeys } from '@pipe-backup/crypto'
import { ChunkKind } from '../format/chunk-codec.ts'
import { encodePackHeader, packKey, runKeyId } from '../format/pack-format.ts'
import { createVaultHost, derivedKeys } from '../format/vault-host.ts'
import { ChunkLocations } from '../restore/chunk-locations.ts'
import { ChunkReader } from '../restore/chunk-reader.ts'
import { type FinishedPack, PackWriter } from '../seal/pack-writer.ts'
import type { MemorySink } from './memory-sink.ts'

/** One pack that is filled by hand, and what is needed to read it. */
export class MemoryChunks {
  readonly keys: VaultKeys
  readonly writer: PackWriter
  /** The memory that the writer writes to. */
  readonly memory: Uint8Array
  readonly header: Uint8Array
  readonly #nodeIdKey: Uint8Array

  /** @param recipients - beside the vault's own key @param packBytes - the memory of the pack */
  static async create(
    keys: VaultKeys,
    recipients: readonly Uint8Array[] = [],
    packBytes: number = 1024 * 1024,
  ): Promise<MemoryChunks> {
    const runKey = randomBytes(32)
    const boxes = await Promise.all([keys.publicKey, ...recipients].map((key) => sealTo(key, runKey)))
    const header = encodePackHeader([{ id: runKeyId(runKey), boxes }])
    const { nodeIdKey } = await derivedKeys(keys)
    const buffer = new ArrayBuffer(packBytes)
    const host = createVaultHost(keys)
    const { idKey } = keys
    const writer = new PackWriter(
      { runKey, idKey, nodeIdKey, host },
      header,
      Buffer.from(host.hostId, 'hex'),
      { buffer, length: 0, chunks: [] },
    )
    return new MemoryChunks(keys, writer, new Uint8Array(buffer), header, nodeIdKey)
  }

  private constructor(
    keys: VaultKeys,
    writer: PackWriter,
    memory: Uint8Array,
    header: Uint8Array,
    nodeIdKey: Uint8Array,
  ) {
    this.keys = keys
    this.writer = writer
    this.memory = memory
    this.header = header
    this.#nodeIdKey = nodeIdKey
  }

  /** Adds a chunk. @returns its id */
  add(plain: Uint8Array, kind: ChunkKind = ChunkKind.data): Uint8Array {
    const id = chunkId(kind === ChunkKind.data ? this.keys.idKey : this.#nodeIdKey, plain)
    this.writer.add(kind, id, plain)
    return id
  }

  /** Finishes the pack and puts it on these sinks. */
  finish(sinks: readonly MemorySink[]): FinishedPack {
    const pack = this.writer.finish()
    const bytes = Buffer.from(new Uint8Array(pack.buffer, 0, pack.length))
    for (const sink of sinks) sink.objects.set(packKey(pack.name), bytes)
    return pack
  }

  /** A reader of this pack. */
  read(
    pack: FinishedPack,
    sinks: readonly MemorySink[],
    onProblem: (error: Error) => void = () => undefined,
    keys: VaultKeys = this.keys,
  ): Promise<ChunkReader> {
    const locations = new ChunkLocations()
    locations.add(pack.name, pack.footer)
    return ChunkReader.open({ sinks, keys, locations, onProblem })
  }
}
