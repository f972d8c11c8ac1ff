import type { PackChunk } from '../format/pack-format.ts'

/** What a thread that opens chunks is started with. */
export interface OpenerStart {
  readonly idKey: Uint8Array
  readonly nodeIdKey: Uint8Array
  /** Not 0 once nothing that was asked for is wanted any more. */
  readonly isEnded: Int32Array<SharedArrayBuffer>
}

/** One chunk of a batch. */
export interface BatchPiece {
  readonly runKey: Uint8Array
  readonly chunk: Pick<PackChunk, 'kind' | 'id' | 'length' | 'rawLength'>
  /** Where it is in `sealed`. */
  readonly from: number
  /** Where its plain bytes go in `plain`, if they are wanted. */
  readonly to: number
}

/** Chunks to be opened. The memory is shared, and nobody else's until that is done: what is transferred would be garbage on both sides. */
export interface Batch {
  readonly sealed: SharedArrayBuffer
  /** Without it the chunks are proven alone. */
  readonly plain?: SharedArrayBuffer | undefined
  readonly pieces: readonly BatchPiece[]
  /** By piece: not 0 once a thread has begun with it. Who needs one at once, and would wait, opens it itself. */
  readonly begun: Int32Array<SharedArrayBuffer>
}

/** The number is the pool's, and comes back with what was opened. */
export type ToOpener =
  | { readonly type: 'open'; readonly number: number; readonly batch: Batch }
  | { readonly type: 'end' }

/** A batch that is done. */
export interface OpenedBatch {
  readonly number: number
  /** Which of its pieces the thread has opened, and proven by their ids. */
  readonly opened: readonly boolean[]
}

/** `ready`: a batch is begun at once from now on. */
export type FromOpener = 'ready' | OpenedBatch
