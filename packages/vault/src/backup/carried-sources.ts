import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../is-object.ts'
import type { SinkView } from '../sink-view.ts'
import { isSnapshotSource, type SnapshotSource } from '../snapshot-object.ts'

/** A source as an earlier run has stored it: it can be a part of a later snapshot without being read again. */
export interface CarriedSource {
  readonly head: SnapshotSource & { readonly takenAt: string }
  /** Names of the packs that it needs, each with the bitmap of its live chunks, in base64. */
  readonly packs: readonly (readonly [name: string, bitmap: string])[]
}

/**
 * What sources that are read more seldom than a run comes were stored as. Lost, or no longer whole on the sinks, such a source is read
 * anew.
 */
export class CarriedSources {
  readonly #file: string
  readonly #vaultId: string
  readonly #sources: Map<string, CarriedSource>

  /** @param directory - this host's state; holds `carried.json`, mode 0600 */
  static async open(directory: string, vaultId: string): Promise<CarriedSources> {
    const file = join(directory, 'carried.json')
    const saved: unknown = await readFile(file, 'utf8')
      .then(JSON.parse)
      .catch(() => undefined)
    const sources = new Map<string, CarriedSource>()
    if (isObject(saved) && saved['vault'] === vaultId && Array.isArray(saved['sources'])) {
      for (const source of saved['sources'] as unknown[])
        if (isCarried(source)) sources.set(source.head.name, source)
    }
    return new CarriedSources(file, vaultId, sources)
  }

  private constructor(file: string, vaultId: string, sources: Map<string, CarriedSource>) {
    this.#file = file
    this.#vaultId = vaultId
    this.#sources = sources
  }

  /**
   * A source that was read less than `everyMs` ago, and whose packs some sink holds and no prune has condemned.
   */
  find(name: string, everyMs: number, now: Date, views: readonly SinkView[]): CarriedSource | undefined {
    const source = this.#sources.get(name)
    if (!source) return undefined
    const ageMs = now.getTime() - Date.parse(source.head.takenAt)
    if (!(ageMs >= 0 && ageMs < everyMs)) return undefined
    const isUsable = source.packs.every(
      ([pack]) =>
        views.some((view) => view.packs.has(pack)) && !views.some((view) => view.condemned.has(pack)),
    )
    return isUsable ? source : undefined
  }

  set(source: CarriedSource): void {
    this.#sources.set(source.head.name, source)
  }

  async save(): Promise<void> {
    const text = JSON.stringify({ vault: this.#vaultId, sources: [...this.#sources.values()] })
    await writeFile(`${this.#file}.new`, `${text}\n`, { mode: 0o600 })
    await rename(`${this.#file}.new`, this.#file)
  }
}

function isCarried(value: unknown): value is CarriedSource {
  if (!isObject(value)) return false
  const { head, packs } = value
  return (
    isSnapshotSource(head) &&
    head.root !== undefined &&
    typeof head.takenAt === 'string' &&
    Number.isFinite(Date.parse(head.takenAt)) &&
    Array.isArray(packs) &&
    packs.every(
      (pack: unknown) => Array.isArray(pack) && typeof pack[0] === 'string' && typeof pack[1] === 'string',
    )
  )
}
