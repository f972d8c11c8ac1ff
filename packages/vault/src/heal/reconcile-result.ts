import type { Replica } from '../store/replica.ts'

/** A pack that no sink has whole. */
export interface LostPack {
  readonly key: string
  /** Keys of the snapshots that need it. */
  readonly snapshots: readonly string[]
}

/** What a sink was brought. Why it could not be brought more is the replica's `error`. */
export class ReconcileResult {
  readonly replica: Replica
  /** Packs that were brought to it. */
  packs = 0
  /** Other objects that were brought to it, or taken away because they were damaged and of no use. */
  objects = 0
  bytes = 0
  /** Keys of snapshots that it still lacks because a prune has condemned their packs there: they follow when that is through. */
  readonly postponed: Set<string> = new Set()
  /** What it lacks, and what could not be read from a sink that shows it and does not answer. */
  unanswered = 0
  readonly #onHealed: ((sink: string, key: string, sizeBytes: number) => void) | undefined

  constructor(
    replica: Replica,
    onHealed: ((sink: string, key: string, sizeBytes: number) => void) | undefined,
  ) {
    this.replica = replica
    this.#onHealed = onHealed
  }

  /** An object was brought; its size is 0 when it was removed as useless. */
  count(kind: 'packs' | 'objects', key: string, sizeBytes: number): void {
    this[kind]++
    this.bytes += sizeBytes
    this.#onHealed?.(this.replica.name, key, sizeBytes)
  }
}
