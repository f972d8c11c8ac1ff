import { join } from 'node:path'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'

/** An object of an archive that is damaged or missing on a sink. */
export interface ArchiveDamage {
  readonly sink: string
  readonly key: string
}

interface Saved {
  readonly damaged: readonly ArchiveDamage[]
  /** By sink: where the next sample begins, from 0 to 1. */
  readonly cursors: Readonly<Record<string, number>>
}

/** What this host's verifications have found of archives, for `heal`. A file that is lost costs another verification. */
export class ArchiveDamageLog {
  readonly #file: string
  #saved: Saved

  private constructor(file: string, saved: Saved) {
    this.#file = file
    this.#saved = saved
  }

  /** @param directory - the state directory */
  static async open(directory: string): Promise<ArchiveDamageLog> {
    const file = join(directory, 'archive-damage.json')
    const { damaged, cursors } = Object.fromEntries<unknown>(
      Object.entries((await readStateFile(file)) ?? {}),
    )
    return new ArchiveDamageLog(file, {
      damaged: Array.isArray(damaged) ? damaged.filter(isDamage) : [],
      cursors: Object.fromEntries(
        Object.entries(cursors ?? {}).filter(
          (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] >= 0 && entry[1] < 1,
        ),
      ),
    })
  }

  get damaged(): readonly ArchiveDamage[] {
    return this.#saved.damaged
  }

  /** Whether the object at this place of so many is in the sample of a sink. */
  isDue(sink: string, sample: number, index: number, count: number): boolean {
    const at = index / count - (this.#saved.cursors[sink] ?? 0)
    return sample >= 1 || (at < 0 ? at + 1 : at) < sample
  }

  /** Replaces what was known of these sinks, and moves their samples on. Not to be able to is no reason to fail. */
  async verified(sinks: readonly string[], sample: number, found: readonly ArchiveDamage[]): Promise<void> {
    // A sample has not looked at what was found before.
    const before = sample < 1 ? this.damaged : this.damaged.filter(({ sink }) => !sinks.includes(sink))
    const cursors = { ...this.#saved.cursors }
    for (const sink of sinks) cursors[sink] = sample < 1 ? ((cursors[sink] ?? 0) + sample) % 1 : 0
    await this.#save({ damaged: unique([...before, ...found]), cursors })
  }

  /** Forgets what is whole now. */
  async healed(whole: readonly ArchiveDamage[]): Promise<void> {
    const isWhole = (one: ArchiveDamage) =>
      whole.some(({ sink, key }) => sink === one.sink && key === one.key)
    if (this.damaged.some(isWhole))
      await this.#save({ ...this.#saved, damaged: this.damaged.filter((one) => !isWhole(one)) })
  }

  async #save(saved: Saved): Promise<void> {
    this.#saved = saved
    await writeState(this.#file, saved).catch(() => undefined)
  }
}

function unique(damaged: readonly ArchiveDamage[]): readonly ArchiveDamage[] {
  return [...new Map(damaged.map((one) => [`${one.sink} ${one.key}`, one])).values()]
}

function isDamage(value: unknown): value is ArchiveDamage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sink' in value &&
    typeof value.sink === 'string' &&
    'key' in value &&
    typeof value.key === 'string'
  )
}
