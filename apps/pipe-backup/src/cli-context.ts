import type { Machine } from './machine.ts'
import type { Output } from './terminal/output.ts'

/** The options that every command takes. */
export interface GlobalOptions {
  readonly config?: string | undefined
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly color: boolean
  /** Standard error is a log: one JSON object a line. */
  readonly logJson: boolean
  /** Sinks to read from, in order of preference; empty for all. */
  readonly from: readonly string[]
  /** The vault that a recipient's phrase is for. */
  readonly vaultId?: string | undefined
}

/** One invocation of the program: all that a command has besides its own arguments. */
export interface CliContext {
  readonly machine: Machine
  readonly options: GlobalOptions
  readonly output: Output
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** What PIPE_BACKUP_PHRASE held; it is no longer in the environment. */
  readonly phraseVariable: string | undefined
  /** `pipe-backup 0.1.0` */
  readonly program: string
}
