import { chunkId } from '@pipe-backup/crypto'
import type { ChunkKind } from '../format/chunk-codec.ts'
import type { SealPool } from '../seal/seal-pool.ts'
import type { ChunkIndex } from '../store/chunk-index.ts'
import { Slab } from './slab.ts'

/** Nodes wait for a slab until they are worth one. */
const AT_ONCE_BYTES = 1024 * 1024

interface NodeWriterOptions {
  readonly pool: SealPool
  readonly index: ChunkIndex
  readonly nodeIdKey: Uint8Array
}

/** Stores the nodes of manifests that are not stored yet. */
export class NodeWriter {
  readonly #options: NodeWriterOptions
  #nodes: { readonly bytes: Buffer; readonly kind: ChunkKind }[] = []
  #bytes = 0

  constructor(options: NodeWriterOptions) {
    this.#options = options
  }

  get isWorthSending(): boolean {
    return this.#bytes >= AT_ONCE_BYTES
  }

  /** @returns the node's id: it is needed by the walk that is going on */
  store(node: Buffer, kind: ChunkKind): Uint8Array {
    const { index, nodeIdKey } = this.#options
    const id = Uint8Array.from(chunkId(nodeIdKey, node))
    if (!index.has(id)) {
      index.addPending(id, kind, node.length)
      this.#nodes.push({ bytes: node, kind })
      this.#bytes += node.length
    }
    index.markLive(id, node.length)
    return id
  }

  /** Hands what waits to the threads that seal. */
  async send(): Promise<void> {
    const { pool } = this.#options
    const nodes = this.#nodes
    this.#nodes = []
    this.#bytes = 0
    let slab: Slab | undefined
    for (const { bytes, kind } of nodes) {
      if (slab && slab.room < bytes.length) {
        slab.submit(pool, () => undefined)
        slab = undefined
      }
      slab ??= new Slab(await pool.takeSlab())
      slab.bytes.set(bytes, slab.filled)
      slab.cut(slab.filled, bytes.length, kind)
      slab.filled += bytes.length
    }
    slab?.submit(pool, () => undefined)
  }
}
