import type { Sink } from '@pipe-backup/sink'
import type { SinkView } from '../sink-view.ts'
import type { RunContext } from './backup-options.ts'
import type { BackupProgress } from './report.ts'

type State = 'ok' | 'detached' | 'failed'

/** A sink in a run. */
export class Place {
  readonly sink: Sink
  /** As the progress shows it. */
  readonly shown: BackupProgress['sinks'][number]
  /** Packs that were put there, and their lengths. */
  readonly sent: Map<string, number> = new Map()
  /** What it holds; undefined when it could not be looked at. */
  view: SinkView | undefined
  error: Error | undefined
  /** Packs and objects that were brought there from another sink, or mended. */
  healed = 0
  readonly #run: RunContext
  #state: State = 'ok'

  constructor(sink: Sink, run: RunContext) {
    this.sink = sink
    this.#run = run
    this.shown = { name: sink.name, state: 'ok', bytesSent: 0, queuedBytes: 0 }
  }

  get state(): State {
    return this.#state
  }

  get bytesSent(): number {
    return this.shown.bytesSent
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.sink.put(key, bytes, this.#run.abortable)
    this.count(bytes.length)
  }

  count(bytes: number): void {
    this.shown.bytesSent += bytes
  }

  /** It holds all of the snapshot. */
  succeed(): void {
    this.#become('ok', undefined)
  }

  fail(reason: unknown, state: Exclude<State, 'ok'> = 'failed'): void {
    const error = reason instanceof Error ? reason : new Error(String(reason))
    this.#become(state, error)
    this.#run.onSinkProblem?.(this.sink.name, error)
  }

  #become(state: State, error: Error | undefined): void {
    this.#state = state
    this.shown.state = state
    this.error = error
  }
}
