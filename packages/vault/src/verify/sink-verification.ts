import { toFailure } from '../failure.ts'
import { packKey, packNameOf } from '../format/pack-format.ts'
import type { SnapshotHead } from '../format/snapshot-object.ts'
import { storedObjects, totalBytes } from '../store/listing.ts'
import type { Replica } from '../store/replica.ts'
import { SESSION_REFRESH_MS, type SessionRecord } from '../store/session.ts'
import { checkPacks } from './check-packs.ts'
import { checkSmallObjects } from './check-small-objects.ts'
import { type DeepProver, footerDigest } from './deep-prover.ts'
import type { VerifiedSink, VerifyProgress } from './report.ts'
import type { SampleWindow } from './sample-window.ts'

export interface SinkVerificationOptions {
  readonly deep: DeepProver | undefined
  readonly progress: VerifyProgress
}

/** What the sinks together say must be there. */
export interface Expected {
  /** The snapshots that any sink shows, by key. */
  readonly snapshots: ReadonlyMap<string, SnapshotHead>
  /** Keys of their marks that count, each with its snapshot. */
  readonly marks: ReadonlyMap<string, SnapshotHead>
  /** Keys of the grants that any sink has. */
  readonly grants: ReadonlySet<string>
  /** How many bytes packs must have, by name. */
  readonly sizes: ReadonlyMap<string, number>
}

/** The verification of one sink: first looked at, then proven, when it is known what the others show. */
export class SinkVerification {
  readonly replica: Replica
  readonly #options: SinkVerificationOptions
  /** Names of packs, and the keys of the snapshots of this sink that need them. */
  needed: ReadonlyMap<string, readonly string[]> = new Map()
  /** How many bytes packs must have, by name, as far as the index objects of this sink say. */
  readonly sizes: Map<string, number> = new Map()
  /** What index objects say of packs, by the index's key: where packs are opened, too. */
  readonly #said = new Map<string, { readonly name: string; readonly footer: string }[]>()
  #stored = { objects: 0, bytes: 0 }
  #proven = { packsProven: 0, bytesRead: 0 }

  constructor(replica: Replica, options: SinkVerificationOptions) {
    this.replica = replica
    this.#options = options
  }

  /** Opens all that is small. */
  async look(): Promise<void> {
    const { replica } = this
    await replica.attempt(async () => {
      const { listing } = replica
      this.#stored = { objects: storedObjects(listing).length, bytes: totalBytes(listing) }
      await checkSmallObjects(replica, (key, packs) => {
        for (const { name, sizeBytes } of packs) this.sizes.set(name, sizeBytes)
        if (!this.#options.deep) return
        const said = packs.map(({ name, footer }) => ({ name, footer: footerDigest(footer) }))
        this.#said.set(key, said)
      })
    })
    this.needed = replica.neededPacks()
  }

  /** Compares with what must be there, and proves the packs of a sample. */
  async prove(expected: Expected, window: SampleWindow): Promise<void> {
    const { replica } = this
    await replica.attempt(async () => {
      const { truncated } = replica.listing
      const wanted = [...expected.snapshots.keys(), ...expected.marks.keys(), ...expected.grants]
      const lacking = wanted.filter((key) => !replica.has(key) && !truncated.has(key))
      const runs = lacking.length > 0 ? await this.#liveRuns() : []
      for (const key of lacking)
        if (!isBeingWritten(expected.snapshots.get(key) ?? expected.marks.get(key), runs))
          replica.found(key, 'missing', `${key} is missing: another sink has it`)
      this.#forgetSettled(expected.snapshots)
      this.#proven = await checkPacks(replica, {
        needed: this.needed,
        sizes: expected.sizes,
        window,
        ...this.#options,
      })
    })
  }

  /** Compares what index objects say with the packs that were opened. @returns keys of those that are false */
  proveIndexes(): string[] {
    const { deep } = this.#options
    const isFalse = ({ name, footer }: { readonly name: string; readonly footer: string }): boolean =>
      deep?.isFooterOf(name, footer) === false
    return [...this.#said].flatMap(([key, said]) => {
      const wrong = said.find(isFalse)
      if (!wrong) return []
      const message = `${key} is false: ${packKey(wrong.name)} has other chunks than it says`
      this.replica.found(key, 'corrupt', message)
      return [key]
    })
  }

  /** Whether this sink holds a pack, and nothing is known against it. */
  holdsWhole(name: string): boolean {
    const key = packKey(name)
    const { name: sink, context } = this.replica
    return this.replica.has(key) && !(context.book?.of(sink).has(key) ?? false)
  }

  report(): VerifiedSink {
    const { name, error, damaged } = this.replica
    return {
      name,
      state: error ? 'failed' : damaged.size > 0 ? 'damaged' : 'ok',
      ...this.#stored,
      ...this.#proven,
      problems: [...damaged.values()].map(({ sink, key, why, message }) => ({ sink, key, why, message })),
      ...(error && toFailure(error)),
    }
  }

  /** Those that have given a sign of life since they last had to. */
  async #liveRuns(): Promise<SessionRecord[]> {
    const nowMs = this.replica.context.now().getTime()
    const sessions = [...(await this.replica.readSessions()).values()]
    return sessions.filter(
      ({ kind, storedAt }) =>
        kind === 'backup' && Math.abs(nowMs - storedAt.getTime()) <= 2 * SESSION_REFRESH_MS,
    )
  }

  /** What the book says of objects that are gone and that nothing needs any more. */
  #forgetSettled(expected: ReadonlyMap<string, unknown>): void {
    const { replica } = this
    for (const key of replica.context.book?.of(replica.name).keys() ?? []) {
      const name = packNameOf(key)
      const isThere = replica.listing.truncated.has(key) || replica.has(key) || replica.damaged.has(key)
      const isWanted = name === undefined ? expected.has(key) : this.needed.has(name)
      if (!isThere && !isWanted) replica.proven(key)
    }
  }
}

/** Whether a run that goes on has made a snapshot: it brings it to one sink after the other. */
function isBeingWritten(head: SnapshotHead | undefined, runs: readonly SessionRecord[]): boolean {
  return runs.some(({ hostId, started }) => hostId === head?.hostId && started === head.time)
}
