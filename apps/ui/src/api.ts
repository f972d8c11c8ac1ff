/** What the page and the program say to each other: JSON, with times as ISO 8601 and paths as base64url of their bytes. */

export interface Session {
  readonly vault: string
  readonly host: string
  readonly program: string
  readonly file: string
  /** Whether the phrase is needed for lists, too: this host has no key of its own. */
  readonly needsPhrase: boolean
  /** When the keys are forgotten unless something is read; `null` while they are not there. */
  readonly unlockedUntil: string | null
  readonly task: Task | null
}

/** An answer that is no success. */
export interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string | undefined }
}

export type SourceState = 'ok' | 'incomplete' | 'failed' | 'none'

export interface Overview {
  readonly vault: string
  readonly vaultId: string
  readonly host: string
  readonly copies: number
  readonly lastGood: { readonly id: string; readonly time: string; readonly sinks: readonly string[] } | null
  readonly snapshots: number
  readonly oldest: string | null
  readonly newest: string | null
  readonly schedule: string | null
  readonly scheduler: string | null
  readonly nextRun: string | null
  readonly lastRun: string | null
  readonly lastPrune: string | null
  readonly lastVerify: string | null
  readonly lastDrill: { readonly time: string; readonly snapshot: string } | null
  readonly sources: readonly {
    readonly name: string
    readonly state: SourceState
    readonly lastGood?: string
    readonly entries: number
    readonly bytes: number
    readonly problems: number
    readonly error?: string
  }[]
  readonly sinks: readonly {
    readonly name: string
    readonly state: 'ok' | 'behind' | 'damaged' | 'failed'
    readonly snapshots: number
    readonly latest?: string
    readonly behind: number
    readonly damaged: number
    readonly bytes: number
    readonly bytesCondemned: number
    readonly bytesNew: { readonly day: number; readonly week: number; readonly month: number }
    readonly error?: string
    readonly hint?: string
  }[]
  /** Of each sink, over time, oldest first. */
  readonly history: readonly SinkHistory[]
  readonly sessions: readonly {
    readonly kind: string
    readonly host: string
    readonly started: string
    readonly isStale: boolean
  }[]
  readonly worries: readonly { readonly subject: string; readonly message: string; readonly since?: string }[]
  readonly exitCode: number
  readonly warnings: readonly string[]
}

export interface SinkHistory {
  readonly name: string
  readonly sizes: readonly { readonly time: string; readonly bytes: number }[]
  readonly lags: readonly { readonly time: string; readonly lagMs: number }[]
}

export interface Snapshot {
  readonly id: string
  readonly time: string
  readonly host: string
  readonly sources: readonly {
    readonly name: string
    readonly state: Exclude<SourceState, 'none'>
    readonly entries: number
    readonly bytes: number
    readonly problems: number
    readonly error?: string
  }[]
  readonly sinks: readonly string[]
  /** No prune removes it. */
  readonly pinned?: boolean
  readonly tags?: readonly string[]
}

export interface Snapshots {
  /** Newest first. */
  readonly snapshots: readonly Snapshot[]
  readonly sinks: readonly string[]
  readonly warnings: readonly string[]
}

export type EntryType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'fifo'
  | 'character-device'
  | 'block-device'

export interface Entry {
  /** As it can safely be shown. */
  readonly name: string
  readonly path: string
  /** The path as it can safely be shown, where the entry stands by itself. */
  readonly shown?: string
  readonly type: EntryType
  /** Of files, in bytes. */
  readonly size?: number
  readonly mode?: string
  readonly owner?: string
  readonly mtime?: string
  /** Of links. */
  readonly target?: string
}

export interface Children {
  readonly entries: readonly Entry[]
  /** Where the next page begins; `null` at the end. */
  readonly next: string | null
}

export interface Found {
  readonly found: readonly (Entry & { readonly snapshots: readonly string[] })[]
  /** More match than are given. */
  readonly isCut: boolean
  readonly searched: number
  readonly warnings: readonly string[]
}

export interface Differences {
  readonly differences: readonly {
    readonly change: 'added' | 'removed' | 'changed'
    readonly parts: readonly string[]
    readonly entry: Entry
    readonly sizeBefore?: number
  }[]
  readonly isCut: boolean
  readonly totals: {
    readonly added: number
    readonly addedBytes: number
    readonly removed: number
    readonly removedBytes: number
    readonly modified: number
    readonly metadata: number
  }
  readonly warnings: readonly string[]
}

export type TaskKind = 'run' | 'verify' | 'heal' | 'restore' | 'drill'

export interface Task {
  readonly kind: TaskKind
  readonly started: string
  /** `undefined` while it goes on. */
  readonly exitCode?: number
}

/** One event of a task's stream. */
export type TaskEvent =
  | { readonly type: 'started'; readonly task: Task }
  | { readonly type: 'progress'; readonly progress: unknown }
  | { readonly type: 'report'; readonly report: unknown }
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'ended'; readonly task: Task }

export interface Retention {
  readonly policy: readonly Setting[]
  readonly snapshots: readonly {
    readonly id: string
    readonly time: string
    readonly host: string
    /** The rules that keep it; empty when it would go. */
    readonly kept: readonly string[]
  }[]
  readonly sinks: readonly {
    readonly name: string
    readonly state: string
    readonly bytesBefore: number
    readonly bytesAfter: number
    readonly bytesFreed: number
  }[]
  readonly warnings: readonly string[]
}

export interface Configuration {
  readonly file: string
  readonly hostKey: string
  readonly state: string
  readonly settings: readonly Setting[]
  readonly sources: readonly Item[]
  readonly sinks: readonly Item[]
  readonly notify: readonly Item[]
  readonly warnings: readonly string[]
}

export interface Item {
  readonly title: string
  readonly type: string
  readonly settings: readonly Setting[]
}

export interface Setting {
  readonly key: string
  readonly value: string
}
