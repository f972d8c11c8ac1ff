import { type Sink, toError } from '@pipe-backup/sink'
import type { SinkView } from '../store/sink-view.ts'
import type { RunContext } from './backup-options.ts'
import type { SinkProgress } from './report.ts'

type State = 'ok' | 'detached' | 'failed'

/** A sink in a run. */
export class BackupTarget {
  readonly sink: Sink
  /** As the progress shows it. */
  readonly shown: SinkProgress
  /** Packs that were put there, and their lengths. */
  readonly sent: Map<string, number> = new Map()
  /** What it holds; undefined when it could not be looked at. */
  view: SinkView | undefined
  error: Error | undefined
  /** Packs and objects that were brought there from another sink, or repaired. */
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
    await this.sink.put(key, bytes, { signal: this.#run.signal })
    this.count(bytes.length)
  }

  count(bytes: number): void {
    this.shown.bytesSent += bytes
  }

  /** A pack waits to be sent there. */
  queue(bytes: number): void {
    if (this.#state === 'ok') this.shown.queuedBytes += bytes
  }

  /** Of a pack that was queued: reports how many of its bytes have gone so far. What is sent another time counts once. */
  sending(packBytes: number): (goneBytes: number) => void {
    let counted = 0
    return (goneBytes) => {
      const more = Math.min(goneBytes, packBytes) - counted
      counted += more
      this.count(more)
      this.shown.queuedBytes = Math.max(0, this.shown.queuedBytes - more)
    }
  }

  /** It holds all of the snapshot. */
  succeed(): void {
    this.#become('ok', undefined)
  }

  fail(reason: unknown, state: Exclude<State, 'ok'> = 'failed'): void {
    const error = toError(reason)
    this.#become(state, error)
    this.#run.onSinkProblem?.(this.sink.name, error)
  }

  #become(state: State, error: Error | undefined): void {
    this.#state = state
    this.shown.state = state
    // It gets no more of the packs.
    if (state !== 'ok') this.shown.queuedBytes = 0
    this.error = error
  }
}
