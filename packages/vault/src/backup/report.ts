import type { SourceProblem } from '@pipe-backup/source'

/** How a run stands; kept up to date while it runs, to be polled. */
export interface BackupProgress {
  phase: 'preparing' | 'reading' | 'sending' | 'healing' | 'committing' | 'done'
  /** The source that is being read. */
  source: string
  entries: number
  bytesRead: number
  /** Of files that did not change, and of sources that were not due: they were not read. */
  bytesUnchanged: number
  /** Of the bytes read, those that were new and had to be stored; before compression. */
  bytesNew: number
  sinks: SinkProgress[]
}

export interface SinkProgress {
  name: string
  state: 'ok' | 'detached' | 'failed'
  /** Also of what is under way. */
  bytesSent: number
  /** Of packs that are sealed, and have not arrived. */
  queuedBytes: number
}

export function createProgress(): BackupProgress {
  return {
    phase: 'preparing',
    source: '',
    entries: 0,
    bytesRead: 0,
    bytesUnchanged: 0,
    bytesNew: 0,
    sinks: [],
  }
}

export interface SourceReport {
  readonly name: string
  /** `incomplete`: some entries could not be taken, or would not hold still. */
  readonly state: 'ok' | 'incomplete' | 'failed'
  readonly entries: number
  /** Sum of its files' sizes. */
  readonly bytes: number
  readonly bytesRead: number
  readonly bytesNew: number
  readonly problems: number
  /** When it was read, where that was an earlier run: it was not due. */
  readonly takenAt?: string | undefined
  readonly error?: string | undefined
}

export interface SinkReport {
  readonly name: string
  /** `ok`: it holds the snapshot. */
  readonly state: 'ok' | 'detached' | 'failed'
  readonly bytesSent: number
  /** Packs that were copied to it from another sink. */
  readonly healed: number
  readonly error?: string | undefined
}

export interface BackupReport {
  /** Its id, or null when none was committed. */
  readonly snapshot: string | null
  /** How many sinks hold it. */
  readonly copies: number
  readonly sources: readonly SourceReport[]
  readonly sinks: readonly SinkReport[]
  /** New sealed bytes, in one copy. */
  readonly bytesStored: number
  readonly seconds: number
  /** 0 all done; 3 committed to enough sinks, but something needs a look; 1 failed. */
  readonly exitCode: 0 | 1 | 3
}

export type BackupProblem = SourceProblem & { readonly source: string }
