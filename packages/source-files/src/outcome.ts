import type { FilesNote } from './files.ts'

/** How many caches are remembered by name: a tree of builds has thousands. */
const MAX_CACHES = 1000

/** What was taken below one configured path. */
export interface Tally {
  /** Entries below it. */
  entries: number
  /** It is a directory, and was listed. */
  isListed: boolean
  /** It is where a file system is mounted. */
  isMountPoint: boolean
}

/** What a walk has met, beside the entries themselves. */
export class Outcome {
  /** By the configured paths that were there, one character for each byte. */
  readonly tallies: Map<string, Tally> = new Map()
  /** Directories of which a tag has left something out, as they can be shown. */
  readonly caches: string[] = []
  /** Patterns that have left nothing out. */
  unmatched: readonly string[] = []
  entries = 0
  bytes = 0
  readonly #knownCaches: ReadonlySet<string>

  /** @param knownCaches - of the walk before */
  constructor(knownCaches: Iterable<string> = []) {
    this.#knownCaches = new Set(knownCaches)
  }

  tallyOf(root: Buffer): Tally {
    const tally = { entries: 0, isListed: false, isMountPoint: false }
    this.tallies.set(root.toString('latin1'), tally)
    return tally
  }

  cache(path: string, onNote: ((note: FilesNote) => void) | undefined): void {
    const isKnown = this.#knownCaches.has(path) || this.caches.length >= MAX_CACHES
    if (this.caches.length < MAX_CACHES) this.caches.push(path)
    const message = 'what is in it is left out: its CACHEDIR.TAG says that it is a cache'
    onNote?.({ kind: 'cache', path, message, isKnown })
  }
}
