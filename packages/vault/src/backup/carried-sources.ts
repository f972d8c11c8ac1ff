import { join } from 'node:path'
import type { Source } from '@pipe-backup/source'
import { isSnapshotSource, type SnapshotSource } from '../format/snapshot-object.ts'
import { isObject } from '../is-object.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'

/** A source as an earlier run has stored it: it can be a part of a later snapshot without being read again. */
export interface CarriedSource {
  readonly head: SnapshotSource & { readonly takenAt: string }
  /** The ids of the chunks that it needs, one after the other, in base64. Where they are changes: a compaction moves them. */
  readonly ids: string
  /** What it was read as, where the source said that. */
  readonly readAs?: string | undefined
}

/**
 * What sources that are read more seldom than a run comes were stored as. Lost, or no longer whole on the sinks, such a source is read
 * again.
 */
export class CarriedSources {
  readonly #file: string
  readonly #vaultId: string
  readonly #sources: Map<string, CarriedSource>

  /** @param directory - this host's state; holds `carried.json`, mode 0600 */
  static async open(directory: string, vaultId: string): Promise<CarriedSources> {
    const file = join(directory, 'carried.json')
    const saved = await readStateFile(file)
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

  /** A source that was read less than `everyMs` ago, and as what it is to be read now. */
  find(
    { name, readAs }: Pick<Source, 'name' | 'readAs'>,
    everyMs: number,
    now: Date,
  ): CarriedSource | undefined {
    const source = this.#sources.get(name)
    if (!source || source.readAs !== readAs) return undefined
    const ageMs = now.getTime() - Date.parse(source.head.takenAt)
    return ageMs >= 0 && ageMs < everyMs ? source : undefined
  }

  set(source: CarriedSource): void {
    this.#sources.set(source.head.name, source)
  }

  async save(): Promise<void> {
    await writeStateFile(this.#file, { vault: this.#vaultId, sources: [...this.#sources.values()] })
  }
}

function isCarried(value: unknown): value is CarriedSource {
  if (!isObject(value)) return false
  const { head, ids, readAs } = value
  return (
    isSnapshotSource(head) &&
    head.root !== undefined &&
    typeof head.takenAt === 'string' &&
    Number.isFinite(Date.parse(head.takenAt)) &&
    typeof ids === 'string' &&
    (readAs === undefined || typeof readAs === 'string')
  )
}
