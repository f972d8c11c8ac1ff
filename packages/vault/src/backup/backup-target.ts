import { toError } from '@pipe-backup/sink'
import type { Replica } from '../store/replica.ts'
import type { RunContext } from './backup-options.ts'
import type { SinkProgress } from './report.ts'

type State = 'ok' | 'detached' | 'failed'

/** A replica in a run: how far the run has come there. */
export class BackupTarget {
  readonly replica: Replica
  /** As the progress shows it. */
  readonly shown: SinkProgress
  /** Packs that were put there, and their lengths. */
  readonly sent: Map<string, number> = new Map()
  /** Packs and objects that were brought there from another sink, or repaired. */
  healed = 0
  /** Whether it could be looked at: what it has can be read, whatever became of it since. */
  isOpen = false
  readonly #run: RunContext
  #state: State = 'ok'

  constructor(replica: Replica, run: RunContext) {
    this.replica = replica
    this.#run = run
    this.shown = { name: replica.name, state: 'ok', bytesSent: 0, queuedBytes: 0 }
  }

  get state(): State {
    return this.#state
  }

  get isWorking(): boolean {
    return this.isOpen && this.#state === 'ok'
  }

  get bytesSent(): number {
    return this.shown.bytesSent
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.replica.put(key, bytes)
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

  /** What it missed is brought to it from others, whatever it failed of before. */
  retry(): void {
    this.replica.error = undefined
  }

  fail(reason: unknown, state: Exclude<State, 'ok'> = 'failed'): void {
    const error = toError(reason)
    this.#become(state, error)
    this.#run.onSinkProblem?.(this.replica.name, error)
  }

  #become(state: State, error: Error | undefined): void {
    this.#state = state
    this.shown.state = state
    // It gets no more of the packs.
    if (state !== 'ok') this.shown.queuedBytes = 0
    this.replica.error = error
  }
}

/** The replicas that packs can be read from, in the configuration's order. */
export function openReplicasOf(targets: readonly BackupTarget[]): Replica[] {
  return targets.flatMap(({ isOpen, replica }) => (isOpen ? [replica] : []))
}
