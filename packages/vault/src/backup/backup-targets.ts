import type { DamageBook } from '../store/damage-book.ts'
import { isBeingPruned } from '../store/is-being-pruned.ts'
import type { VaultSession } from '../store/session.ts'
import { type SinkView, viewSink } from '../store/sink-view.ts'
import { requireVault } from '../store/vault-header.ts'
import { VaultError } from '../vault-error.ts'
import type { RunContext } from './backup-options.ts'
import { BackupTarget } from './backup-target.ts'

/** The sinks of a run, and what became of each. */
export class BackupTargets {
  readonly all: readonly BackupTarget[]
  readonly #run: RunContext

  constructor(run: RunContext) {
    this.#run = run
    this.all = run.sinks.map((sink) => new BackupTarget(sink, run))
    run.progress.sinks = this.all.map(({ shown }) => shown)
  }

  /** Joins each sink's vault and looks at what it holds. @throws the first sink's error when no sink can be used; the abort's reason */
  async open(session: VaultSession, book: DamageBook): Promise<void> {
    await Promise.all(
      this.all.map(async (target) => {
        try {
          target.view = await this.#view(target, session)
          book.exclude(target.view)
        } catch (error) {
          target.fail(error)
        }
      }),
    )
    this.#run.signal?.throwIfAborted()
    if (this.working().length === 0)
      throw this.all[0]?.error ?? new VaultError('too-few-copies', 'no sink is configured')
  }

  of(name: string): BackupTarget | undefined {
    return this.all.find(({ sink }) => sink.name === name)
  }

  working(): BackupTarget[] {
    return this.all.filter(({ view, state }) => view && state === 'ok')
  }

  /** Of each sink that could be looked at. */
  views(): SinkView[] {
    return this.all.flatMap(({ view }) => view ?? [])
  }

  async #view(target: BackupTarget, session: VaultSession): Promise<SinkView> {
    const { host, signal } = this.#run
    // A sink that holds another vault is none of ours to write to.
    await requireVault(target.sink, host.vaultId, signal)
    // Before it is looked at: a prune that condemns something after this sees us.
    await session.join(target.sink, signal)
    target.count(session.sizeBytes)
    const badTrash = new Map<string, VaultError>()
    const view = await viewSink(target.sink, {
      indexKey: host.keys.indexKey,
      signal,
      onBadTrash: (key, error) => badTrash.set(key, error),
    })
    await this.#forgetTrash(target, view, session, badTrash)
    return view
  }

  /**
   * Removes damaged trash objects. What they condemned is then not condemned, until the next prune: packs may rest on it, for nobody
   * is there who would delete it.
   * @throws the first object's error while a prune goes on, which may have read it when it was whole
   */
  async #forgetTrash(
    target: BackupTarget,
    view: SinkView,
    session: VaultSession,
    bad: ReadonlyMap<string, VaultError>,
  ): Promise<void> {
    const [first] = bad.values()
    if (!first) return
    const { host, signal, onSinkProblem } = this.#run
    if (await isBeingPruned(view, host.keys.indexKey, session.id, signal)) throw first
    const refused = await target.sink.deleteMany([...bad.keys()], { signal })
    for (const error of refused.values()) throw error
    target.healed += bad.size
    const { name } = target.sink
    for (const [key, { code }] of bad)
      onSinkProblem?.(
        name,
        new VaultError(code, `sink "${name}": ${key} was damaged, and is removed`, { sink: name, key }),
      )
  }
}
