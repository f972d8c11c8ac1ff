import { markAuthorOf, markedSnapshotOf, markIdOf, type SignedMark } from '../format/mark-object.ts'
import { snapshotIdOf } from '../format/snapshot-object.ts'

/** How a snapshot is marked, by all the hosts together. */
export interface SnapshotMarks {
  /** No prune removes it. */
  readonly pinned: boolean
  /** Sorted. */
  readonly tags: readonly string[]
  /** A mark of it is damaged on every sink that shows it: it may be a pin, and counts as one. */
  readonly isUnclear: boolean
}

/** A mark that counts: undefined where it opens on no sink, so that it may say anything. */
export interface StoredMark {
  readonly key: string
  readonly mark: SignedMark | undefined
}

/**
 * The marks of a vault's snapshots, of all the sinks together. A mark counts until one that may takes its place: a later one of the same
 * host, or of a host that maintains the vault. What counts is joined: one pin pins, and the tags are those of all. So a copy that a sink
 * kept while it was away, or one that two commands wrote at once, can pin too much, and never unpin.
 */
export class MarkBook {
  readonly #marks = new Map<string, Map<string, StoredMark>>()

  /** @param mark - undefined where a sink has it, and does not have it whole */
  add(key: string, mark: SignedMark | undefined): void {
    const snapshot = markedSnapshotOf(key)
    const id = markIdOf(key)
    if (snapshot === undefined || id === undefined) return
    const known = this.#marks.get(snapshot) ?? new Map<string, StoredMark>()
    this.#marks.set(snapshot, known)
    // Marks are never replaced: a copy that opens says what the damaged ones said.
    if (mark || !known.has(id)) known.set(id, { key, mark })
  }

  /** Ids of the snapshots that no prune may remove: they are pinned, or may be. */
  held(): Set<string> {
    const keys = [...this.#marks.keys()].filter((key) => isHeld(this.of(key)))
    return new Set(keys.map((key) => snapshotIdOf(key) ?? ''))
  }

  /** The marks of a snapshot that count. @param snapshot - its key */
  counting(snapshot: string): StoredMark[] {
    const known = this.#marks.get(snapshot) ?? new Map<string, StoredMark>()
    const replaced = replacedAmong(known)
    return [...known].flatMap(([id, stored]) => (replaced.has(id) ? [] : [stored]))
  }

  /** Keys of the marks of a snapshot that count, and that a sink has whole: every sink is to hold them. @param snapshot - its key */
  intact(snapshot: string): string[] {
    return this.counting(snapshot).flatMap(({ key, mark }) => (mark ? [key] : []))
  }

  /** What counts for a snapshot, joined. @param snapshot - its key */
  of(snapshot: string): SnapshotMarks {
    return joinMarks(this.counting(snapshot))
  }

  /** Keys of the marks that another stands in the place of. */
  replaced(): string[] {
    return [...this.#marks.values()].flatMap((known) => {
      const replaced = replacedAmong(known)
      return [...known].flatMap(([id, { key }]) => (replaced.has(id) ? [key] : []))
    })
  }
}

/** Marks, joined: one pin pins, and the tags are those of all. */
export function joinMarks(marks: readonly StoredMark[]): SnapshotMarks {
  const tags = new Set(marks.flatMap(({ mark }) => mark?.tags ?? []))
  return {
    pinned: marks.some(({ mark }) => mark?.pinned),
    tags: [...tags].sort(),
    isUnclear: marks.some(({ mark }) => !mark),
  }
}

/** Whether no prune may remove a snapshot: it is pinned, or may be. */
export function isHeld(marks: SnapshotMarks | undefined): boolean {
  return marks !== undefined && (marks.pinned || marks.isUnclear)
}

/** Ids of the marks that another stands in the place of. */
function replacedAmong(marks: ReadonlyMap<string, StoredMark>): Set<string> {
  const replaced = new Set<string>()
  for (const [id, { mark }] of marks) {
    for (const other of mark?.replaces ?? []) {
      const known = marks.get(other)
      if (mark && known && other !== id && mayReplace(mark, known.key)) replaced.add(other)
    }
  }
  return replaced
}

/** Whether an author may take away what a mark says, whether that opens or not. @param key - the mark's */
function mayReplace({ author }: SignedMark, key: string): boolean {
  return author.role === 'maintain' || author.hostId === markAuthorOf(key)
}
