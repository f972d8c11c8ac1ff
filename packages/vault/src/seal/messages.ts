import type { ChunkKind } from '../format/chunk-codec.ts'
import type { SealingHost } from '../format/sealed-object.ts'
import type { FinishedPack } from './pack-writer.ts'
import type { OpenPack } from './sealer.ts'

/** What a sealer is given when it starts. */
export interface SealerKeys {
  readonly runKey: Uint8Array
  readonly idKey: Uint8Array
  readonly nodeIdKey: Uint8Array
  /** What signs and seals the footers. */
  readonly host: SealingHost
  readonly header: Uint8Array
  readonly hostId: Uint8Array
}

/** What a thread is started with. */
export interface WorkerStart {
  readonly keys: SealerKeys
  /** Not 0 once nothing that was asked for is wanted any more. */
  readonly isEnded: Int32Array<SharedArrayBuffer>
}

/** One chunk of a slab: where its plain bytes are. */
export interface SlabPiece {
  readonly offset: number
  readonly length: number
  readonly kind: ChunkKind
}

/** To a sealer. A slab that was sent with `hash` stays there until `seal` names it. */
export type ToSealer =
  | {
      readonly type: 'hash'
      readonly slab: number
      readonly memory: ArrayBuffer
      readonly pieces: readonly SlabPiece[]
    }
  /** Seal these pieces (by number) of the slab, then give it back. */
  | { readonly type: 'seal'; readonly slab: number; readonly wanted: readonly number[] }
  /** A pack's memory that may be used again. */
  | { readonly type: 'recycle'; readonly buffer: ArrayBuffer }
  /** Go on with what another began. */
  | { readonly type: 'adopt'; readonly packs: readonly OpenPack[] }
  /** Finish the open packs. */
  | { readonly type: 'flush' }

/** To a thread; `end`: no more follows. */
export type ToWorker = ToSealer | { readonly type: 'end' }

/** From a sealer. */
export type FromSealer =
  /** The ids of a slab's pieces, 32 bytes each. */
  | { readonly type: 'ids'; readonly slab: number; readonly ids: Uint8Array }
  | { readonly type: 'slab'; readonly slab: number; readonly memory: ArrayBuffer }
  | { readonly type: 'pack'; readonly pack: FinishedPack }
  | { readonly type: 'flushed' }
  | {
      readonly type: 'failed'
      readonly code: string
      readonly message: string
      readonly hint?: string | undefined
    }
