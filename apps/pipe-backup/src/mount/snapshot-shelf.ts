import { performance } from 'node:perf_hooks'
import {
  listSnapshots,
  openTree,
  type SnapshotInfo,
  type SnapshotTree,
  selectSources,
  type UnreadableSnapshot,
  VaultError,
} from '@pipe-backup/vault'
import { snapshotFilter } from '../find/filter-snapshots.ts'
import type { OpenedSnapshots } from '../vault/open-reading.ts'

/** A list is read again when it is this old; where it is what was asked for, at once. */
const LIST_MS = 60_000
const SHOWN_LIST_MS = 1000
/** Each knows where its chunks are: about 100 MB for a million. */
const MAX_TREES = 4
/** An opened snapshot remembers which sinks failed: so long a sink that came back is not asked. */
const TREE_MS = 600_000
const FAILED_TREE_MS = 60_000

export interface ShelfOptions extends Pick<OpenedSnapshots, 'config' | 'sinks' | 'keys'> {
  /** This host's, where it has a key: what `latest` is looked for among. */
  readonly hostId: string | undefined
  /** Only snapshots with any of these are shown; without it all. */
  readonly tag?: readonly string[] | undefined
  readonly signal: AbortSignal
  /** Called with each object that was missing or damaged on a sink, and of each sink that did not answer. */
  readonly onProblem: (error: Error) => void
  /** Given what `latest` lacks, a line each. */
  readonly warn: (line: string) => void
}

/** A snapshot, or what was put together of several. */
export interface ShelvedSnapshot {
  readonly snapshot: SnapshotInfo
  readonly open: () => Promise<SnapshotTree>
}

interface OpenedTree {
  readonly tree: Promise<SnapshotTree>
  readonly openedAt: number
}

/** The snapshots, and those of them that were opened last. */
export class SnapshotShelf {
  readonly #options: ShelfOptions
  #snapshots: readonly SnapshotInfo[] = []
  #unreadable: readonly UnreadableSnapshot[] = []
  #listedAt = Number.NEGATIVE_INFINITY
  #listing: Promise<void> | undefined
  readonly #trees = new Map<string, OpenedTree>()

  constructor(options: ShelfOptions) {
    this.#options = options
  }

  /** All that are shown, oldest first. @param isShown - the list itself is what was asked for */
  async snapshots(isShown: boolean): Promise<readonly SnapshotInfo[]> {
    const maxAgeMs = isShown ? SHOWN_LIST_MS : LIST_MS
    if (performance.now() - this.#listedAt > maxAgeMs) {
      this.#listing ??= this.#list().finally(() => {
        this.#listing = undefined
      })
      await this.#listing
    }
    return this.#snapshots
  }

  shelved(snapshot: SnapshotInfo): ShelvedSnapshot {
    return { snapshot, open: () => this.#open(snapshot.id, snapshot, [snapshot]) }
  }

  /** The newest good copy of each source, as `restore latest` takes it; undefined where there is none. */
  async latest(): Promise<ShelvedSnapshot | undefined> {
    const snapshots = await this.snapshots(false)
    const { hostId, config, warn } = this.#options
    if (snapshots.length === 0) return undefined
    try {
      const expected = config.sources.map(({ name }) => name)
      const unreadable = this.#unreadable
      const selected = selectSources({ snapshots, spec: 'latest', hostId, expected, unreadable })
      for (const line of [...selected.shortcomings, ...selected.remarks]) warn(line)
      const { snapshot, from } = selected
      const name = [...from].map(([source, { id }]) => `${source} ${id}`).join('\n')
      return { snapshot, open: () => this.#open(name, snapshot, [...new Set(from.values())]) }
    } catch (error) {
      if (error instanceof VaultError && error.code === 'not-found') return undefined
      throw error
    }
  }

  /** Something could not be read: what has been open for a while is opened again, for a sink may have come back. */
  reopen(): void {
    this.#close((openedAt) => performance.now() - openedAt > FAILED_TREE_MS)
  }

  async #list(): Promise<void> {
    const { sinks, keys, tag = [], signal, onProblem } = this.#options
    const unreadable: UnreadableSnapshot[] = []
    const onUnreadable = (snapshot: UnreadableSnapshot) => unreadable.push(snapshot)
    const withMarks = tag.length > 0
    const listed = await listSnapshots({ sinks, keys, withMarks, signal, onProblem, onUnreadable })
    this.#snapshots = listed.filter(snapshotFilter({ tag }))
    this.#unreadable = unreadable
    this.#listedAt = performance.now()
  }

  #open(name: string, snapshot: SnapshotInfo, from: readonly SnapshotInfo[]): Promise<SnapshotTree> {
    this.#close((openedAt) => performance.now() - openedAt > TREE_MS)
    const { sinks, keys, signal, onProblem } = this.#options
    const openedAt = performance.now()
    const opened = this.#trees.get(name) ?? {
      tree: openTree({ sinks, keys, snapshot, from, signal, onProblem }),
      openedAt,
    }
    opened.tree.catch(() => this.#trees.delete(name))
    this.#trees.delete(name)
    this.#trees.set(name, opened)
    const [oldest] = this.#trees.keys()
    if (oldest !== undefined && this.#trees.size > MAX_TREES) this.#trees.delete(oldest)
    return opened.tree
  }

  #close(isOld: (openedAt: number) => boolean): void {
    for (const [name, { openedAt }] of this.#trees) if (isOld(openedAt)) this.#trees.delete(name)
  }
}
