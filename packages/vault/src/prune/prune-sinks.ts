import { type Sink, toError } from '@pipe-backup/sink'
import { snapshotIdOf } from '../format/snapshot-object.ts'
import { hasCode } from '../has-code.ts'
import { isBeingPruned } from '../store/is-being-pruned.ts'
import { readHeads } from '../store/read-heads.ts'
import type { VaultSession } from '../store/session.ts'
import { viewSink } from '../store/sink-view.ts'
import { requireVault } from '../store/vault-header.ts'
import { VaultError } from '../vault-error.ts'
import type { PruneOptions } from './prune.ts'
import type { PruneSink } from './sink-state.ts'

/** Looks at the sinks that are to be pruned: which of them can be, and what each shows. */
export class PruneSinks {
  readonly #options: PruneOptions
  readonly #session: VaultSession
  #failures = new Map<string, Error>()

  constructor(options: PruneOptions, session: VaultSession) {
    this.#options = options
    this.#session = session
  }

  /**
   * Joins all the sinks and looks at them.
   * @param failures - gets those that can't be pruned, and why @throws the first of them when none can
   */
  async look(failures: Map<string, Error>): Promise<PruneSink[]> {
    this.#failures = failures
    const { sinks, host, signal } = this.#options
    const joined = await this.#each(sinks, async (sink) => {
      await requireVault(sink, host.vaultId, signal)
      await this.#session.join(sink, signal)
      return sink
    })
    // When it has joined everywhere: of two that begin at once, the later one then sees the other on every sink.
    const free = await this.#each(joined, async (sink) => {
      const seen = await this.view(sink)
      await this.#checkAlone(seen)
      return seen
    })
    const errors = [...failures.values()]
    if (free.length === 0)
      throw (
        errors.find((error) => hasCode(error, 'busy')) ??
        errors[0] ??
        new VaultError('too-few-copies', 'no sink is configured')
      )
    return this.#resolveHeads(free)
  }

  /** Does something with each sink at once; one that fails is left out. */
  async #each<T>(sinks: readonly Sink[], work: (sink: Sink) => Promise<T>): Promise<T[]> {
    const results = await Promise.all(
      sinks.map(async (sink) => {
        try {
          return [await work(sink)]
        } catch (error) {
          this.#fail(sink.name, error)
          return []
        }
      }),
    )
    this.#options.signal?.throwIfAborted()
    return results.flat()
  }

  async view(sink: Sink): Promise<PruneSink> {
    const { host, signal } = this.#options
    const { indexKey } = host.keys
    const view = await viewSink(sink, { indexKey, signal })
    const heads = await readHeads(view, [...view.snapshots.keys()], {
      indexKey,
      signal,
      onBad: (_, error) => this.#options.onProblem?.(sink.name, error),
    })
    return { view, heads }
  }

  /**
   * One prune at a time on a sink: two that begin at once both see the other, and both give way. What one sink alone shows keeps no other
   * from being pruned: a prune that was killed may have left its session there, or a hostile sink kept it.
   */
  async #checkAlone({ view }: PruneSink): Promise<void> {
    const { host, signal } = this.#options
    const record = await isBeingPruned(view, host.keys.indexKey, this.#session.id, signal)
    if (!record) return
    const { name } = view.sink
    const message = `sink "${name}": host ${record.host} has been pruning this vault since ${record.started}`
    throw new VaultError('busy', message, {
      sink: name,
      hint: 'Try again when it is through. One that was killed is forgotten after a day.',
    })
  }

  /** A snapshot that does not open on one sink needs there what it needs elsewhere; one that opens nowhere needs nobody knows what. */
  #resolveHeads(sinks: readonly PruneSink[]): PruneSink[] {
    const able: PruneSink[] = []
    // One that was removed while this sink was away goes in any case, and needs nothing any more.
    const tombstoned = new Set(sinks.flatMap(({ view }) => [...view.removed]))
    for (const sink of sinks) {
      const closed = [...sink.view.snapshots.keys()].filter(
        (key) => !sink.heads.has(key) && !tombstoned.has(snapshotIdOf(key) ?? ''),
      )
      for (const key of closed) {
        const other = sinks.find(({ heads }) => heads.has(key))?.heads.get(key)
        if (other) sink.heads.set(key, other)
        else {
          const name = sink.view.sink.name
          this.#fail(
            name,
            new VaultError(
              'corrupt',
              `sink "${name}" is not pruned: ${key} is damaged, and what it needs not known`,
              {
                sink: name,
                key,
                hint: 'Run `pipe-backup heal`. If no sink has it whole, delete that object by hand.',
              },
            ),
          )
        }
      }
      if (!this.#failures.has(sink.view.sink.name)) able.push(sink)
    }
    const [first] = this.#failures.values()
    if (able.length === 0 && first) throw first
    return able
  }

  #fail(sink: string, reason: unknown): void {
    this.#failures.set(sink, toError(reason))
  }
}
