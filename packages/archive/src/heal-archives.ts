import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { archiveKey, sumKey } from './archive-key.ts'
import { isSumIntact } from './archive-sum.ts'
import { copyArchive } from './copy-archive.ts'
import { type ArchiveInfo, type ArchiveList, listArchives } from './list-archives.ts'

export interface HealArchivesOptions {
  readonly sinks: readonly Sink[]
  /** Names of those to be healed. Default all. */
  readonly targets?: readonly string[] | undefined
  readonly keys: ObjectKeys
  /** What verifications have found: sink and key. */
  readonly damaged: readonly { readonly sink: string; readonly key: string }[]
  /** Ids of those that every sink is to have. Default all. */
  readonly choose?: ((archives: readonly ArchiveInfo[]) => ReadonlySet<string>) | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProblem?: ((sink: string, error: Error) => void) | undefined
  readonly onHealed?: ((sink: string, key: string, sizeBytes: number) => void) | undefined
}

export interface HealedArchives {
  readonly name: string
  /** Objects that were brought to it. */
  readonly objects: number
  readonly bytes: number
  readonly error?: Error | undefined
}

export interface HealArchivesReport {
  readonly sinks: readonly HealedArchives[]
  /** Ids of those that are intact on no sink. */
  readonly lost: readonly string[]
  /** What was found whole, or has been made so: sink and key. */
  readonly whole: readonly { readonly sink: string; readonly key: string }[]
}

/** Brings to every sink the archives that it lacks or has damaged, from one that has them whole. @throws the abort's reason */
export async function healArchives(options: HealArchivesOptions): Promise<HealArchivesReport> {
  const { sinks, keys, signal } = options
  const list = await listArchives({ sinks, keys, signal })
  const healing = new Healing(options, list)
  const wanted = options.choose?.(list.archives)
  for (const archive of list.archives) {
    if (wanted && !wanted.has(archive.id)) continue
    await healing.heal(archive)
    signal?.throwIfAborted()
  }
  return healing.report()
}

class Healing {
  readonly #options: HealArchivesOptions
  readonly #list: ArchiveList
  readonly #objects = new Map<string, number>()
  readonly #bytes = new Map<string, number>()
  readonly #errors = new Map<string, Error>()
  readonly #lost: string[] = []
  readonly #whole: { sink: string; key: string }[] = []

  constructor(options: HealArchivesOptions, list: ArchiveList) {
    this.#options = options
    this.#list = list
    for (const [sink, error] of list.failures) this.#errors.set(sink, error)
  }

  async heal(archive: ArchiveInfo): Promise<void> {
    const { damaged, signal, onProblem } = this.#options
    const key = archiveKey(archive.id)
    const isDamaged = (sink: Sink) => damaged.some((one) => one.sink === sink.name && one.key === key)
    const holders = archive.holders.filter((sink) => !isDamaged(sink))
    let lacking = this.#targets().filter((sink) => !holders.includes(sink))
    while (lacking.length > 0) {
      const from = holders[0]
      if (!from) {
        this.#lost.push(archive.id)
        return
      }
      try {
        const { done, failed } = await copyArchive(archive, from, lacking, signal)
        for (const [sink, error] of failed) this.#errors.set(sink.name, error)
        for (const sink of done) this.#count(sink, key, archive.sizeBytes)
        lacking = []
        holders.push(...done)
      } catch (error) {
        signal?.throwIfAborted()
        // The next one is tried, and this one healed as well where it is damaged.
        holders.shift()
        onProblem?.(from.name, toError(error))
        if (error instanceof ArchiveError && this.#targets().includes(from)) lacking.push(from)
      }
    }
    for (const sink of holders) await this.#healSum(archive, sink)
  }

  /** The proof comes last: with it the archive counts. */
  async #healSum(archive: ArchiveInfo, sink: Sink): Promise<void> {
    const { keys, signal } = this.#options
    if (!this.#targets().includes(sink)) return
    const { id } = archive
    const key = sumKey(id)
    try {
      const isThere = this.#list.views.some((view) => view.sink === sink && view.sums.has(id))
      if (isThere && (await isSumIntact(sink, id, keys, signal))) return
      await sink.put(key, archive.proof, { signal })
      this.#count(sink, key, archive.proof.length)
    } catch (error) {
      signal?.throwIfAborted()
      this.#errors.set(sink.name, toError(error))
    }
  }

  report(): HealArchivesReport {
    const sinks = this.#options.sinks
      .filter(({ name }) => this.#options.targets?.includes(name) ?? true)
      .map(({ name }) => ({
        name,
        objects: this.#objects.get(name) ?? 0,
        bytes: this.#bytes.get(name) ?? 0,
        error: this.#errors.get(name),
      }))
    return { sinks, lost: this.#lost, whole: this.#whole }
  }

  /** Those that answer. */
  #targets(): readonly Sink[] {
    const { sinks, targets } = this.#options
    return sinks.filter(({ name }) => !this.#errors.has(name) && (targets?.includes(name) ?? true))
  }

  #count(sink: Sink, key: string, bytes: number): void {
    this.#objects.set(sink.name, (this.#objects.get(sink.name) ?? 0) + 1)
    this.#bytes.set(sink.name, (this.#bytes.get(sink.name) ?? 0) + bytes)
    this.#whole.push({ sink: sink.name, key })
    this.#options.onHealed?.(sink.name, key, bytes)
  }
}
