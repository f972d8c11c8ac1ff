export interface PrunedSink {
  readonly name: string
  readonly state: 'pruned' | 'failed'
  readonly snapshotsRemoved: number
  /** Packs that nothing had needed for longer than the grace time, and that are gone now. */
  readonly packsDeleted: number
  readonly bytesFreed: number
  /** Packs that nothing needs since this prune: they go when the grace time has passed. */
  readonly packsCondemned: number
  readonly bytesCondemned: number
  /** Objects that the sink refused to delete: they are tried again by the next prune. */
  readonly refused: number
  /** Objects whose lock was renewed, because they are needed still (`Sink.renewLock`). */
  readonly locksRenewed: number
  /** Whose lock could not be renewed. */
  readonly locksFailed: number
  /** All that it holds, before and after. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly error?: string | undefined
  /** What to do about the error. */
  readonly hint?: string | undefined
}

export interface PruneReport {
  /** Ids of the snapshots that went, or would go. */
  readonly removed: readonly string[]
  readonly kept: number
  /** Ids of the snapshots among these that stay because they are pinned, or may be, whatever the policy says. */
  readonly pinned: readonly string[]
  /** What `compact` moved: live bytes out of so many packs into so many. */
  readonly compacted: { readonly from: number; readonly into: number; readonly bytes: number }
  readonly sinks: readonly PrunedSink[]
  /** 0 done; 3: something was refused, or a sink could not be pruned, but another was; 1: none was. */
  readonly exitCode: 0 | 1 | 3
}
