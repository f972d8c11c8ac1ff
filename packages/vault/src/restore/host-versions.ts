import { toError } from '@pipe-backup/sink'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { type ChangedPart, changedParts } from './changed-parts.ts'
import { type ListedEntry, toListed } from './listed-entry.ts'
import type { OpenSnapshotsOptions } from './open-chunks.ts'
import type { AtPath } from './path-finder.ts'
import type { ReadsChunks } from './walk-manifest.ts'

/** How a path was in snapshots of one host that follow one another. */
export type PathVersion =
  | {
      /** `first` is what the host's oldest snapshot has: how long it had been there nobody knows. */
      readonly change: 'first' | 'added' | 'changed'
      /** In what it is another than before; empty but when changed. */
      readonly parts: readonly ChangedPart[]
      /** A hard link comes as the file that it is a name of. `undefined` for a directory of which the snapshots have only what is in it. */
      readonly entry: ListedEntry | undefined
      /** At least one, oldest first. */
      readonly snapshots: readonly SnapshotInfo[]
    }
  | {
      readonly change: 'removed'
      /** False where the source was not read completely in any of these: it may only not have been readable. */
      readonly isCertain: boolean
      readonly snapshots: readonly SnapshotInfo[]
    }

export interface HostHistory {
  readonly host: string
  readonly hostId: string
  /** Oldest first. */
  readonly versions: readonly PathVersion[]
}

type ComparingOptions = Pick<OpenSnapshotsOptions, 'signal' | 'onProblem'>

interface Run {
  at: AtPath
  readonly parts: readonly ChangedPart[]
  readonly snapshots: SnapshotInfo[]
}

/** Puts together what follows one another and is the same. */
export class HostVersions {
  readonly #chunks: ReadsChunks
  readonly #source: string
  readonly #options: ComparingOptions
  readonly #runs: Run[] = []

  constructor(chunks: ReadsChunks, source: string, options: ComparingOptions) {
    this.#chunks = chunks
    this.#source = source
    this.#options = options
  }

  async add(snapshot: SnapshotInfo, at: AtPath): Promise<void> {
    const run = this.#runs.at(-1)
    const parts = run ? await this.#changes(run.at, at) : []
    if (run && parts?.length === 0) {
      run.snapshots.push(snapshot)
      // The newest is what there is to restore, and shares most with what comes next.
      run.at = at
    } else this.#runs.push({ at, parts: parts ?? [], snapshots: [snapshot] })
  }

  /** @returns undefined when it came or went */
  async #changes(before: AtPath, after: AtPath): Promise<readonly ChangedPart[] | undefined> {
    if (before === after) return []
    if (before === undefined || after === undefined) return undefined
    const typeOf = (at: Exclude<AtPath, undefined>) => (at === 'inferred' ? 'directory' : at.type)
    if (before === 'inferred' || after === 'inferred') return typeOf(before) === typeOf(after) ? [] : ['type']
    const named = (entry: typeof before) => ({
      entry,
      file: () => Promise.resolve(entry.type === 'file' ? entry : undefined),
    })
    try {
      const parts = await changedParts(this.#chunks, named(before), named(after))
      return after.type === 'directory' && !parts.includes('type')
        ? parts.filter((part) => part !== 'mtime')
        : parts
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      // What can't be compared is in other chunks: shown as another version it can be restored from either.
      this.#options.onProblem?.(toError(error))
      return ['content']
    }
  }

  /** @returns undefined when the host has never had it */
  result(): HostHistory | undefined {
    const [first] = this.#runs
    const { host, hostId } = this.#runs.at(-1)?.snapshots.at(-1) ?? {}
    if (!first || host === undefined || hostId === undefined) return undefined
    // Before it was there, it was not removed.
    const runs = first.at === undefined ? this.#runs.slice(1) : this.#runs
    if (runs.length === 0) return undefined
    return { host, hostId, versions: runs.map((run) => this.#toVersion(run, run === first)) }
  }

  #toVersion({ at, parts, snapshots }: Run, isFirst: boolean): PathVersion {
    if (at === undefined) {
      const isComplete = ({ sources }: SnapshotInfo) =>
        sources.some(({ name, state }) => name === this.#source && state === 'ok')
      return { change: 'removed', isCertain: snapshots.some(isComplete), snapshots }
    }
    const change = isFirst ? 'first' : parts.length > 0 ? 'changed' : 'added'
    const entry = at === 'inferred' ? undefined : toListed(this.#source, at)
    return { change, parts, entry, snapshots }
  }
}
