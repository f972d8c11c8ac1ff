import type { Sink } from '@pipe-backup/sink'
import type { Source } from '@pipe-backup/source'
import type { VaultHost } from '../format/vault-host.ts'
import type { BackupProblem, BackupProgress, SourceReport } from './report.ts'

export interface BackupOptions {
  readonly host: VaultHost
  readonly hostName: string
  /** Name and version of the program, for the snapshot. */
  readonly program: string
  readonly sources: readonly Source[]
  readonly sinks: readonly Sink[]
  /** What the snapshot is tagged with. Default nothing. */
  readonly tags?: readonly string[] | undefined
  /** How many sinks must hold the snapshot for the run to have succeeded. */
  readonly copies: number
  /** Sources, by name, that are read no more often than this, in milliseconds; between, the snapshot has them as they were read last. */
  readonly everyMs?: ReadonlyMap<string, number> | undefined
  /** Reads every file, also those that look as they did when they were stored, and every source, whenever it was read last. Default false. */
  readonly force?: boolean | undefined
  /** Called before a source is read. @throws SourceError when it is not to be: the source has failed */
  readonly beforeSource?: ((name: string) => Promise<void>) | undefined
  /** Called when a source was read, or failed, or its `beforeSource` did. What it throws is reported as a problem of the source. */
  readonly afterSource?: ((report: SourceReport) => Promise<void>) | undefined
  /** For this host's caches; made when missing, mode 0700. */
  readonly stateDirectory: string
  /** How many bytes of finished packs may wait for sinks, or be on their way to them. Default 32 MiB; a pack, of 8 MiB at most, always may. */
  readonly windowBytes?: number | undefined
  /** How long a full window is waited for before the slowest sink is left behind. Default 30 s. */
  readonly detachAfterMs?: number | undefined
  /** How long a sink may take to say what it holds before the run goes on without it. Default half an hour. */
  readonly answerWithinMs?: number | undefined
  /** How often a program's output is read on by a piece of 1 MiB while the window is full. Default 10 s. */
  readonly pieceEveryMs?: number | undefined
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
  /** Kept up to date while it runs. */
  readonly progress?: BackupProgress | undefined
  readonly onProblem?: ((problem: BackupProblem) => void) | undefined
  /** @param sink - undefined when it is no single sink's */
  readonly onSinkProblem?: (sink: string | undefined, error: Error) => void
}

/** A run as all its stages see it. */
export interface RunContext extends BackupOptions {
  readonly started: Date
  readonly progress: BackupProgress
}
