import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Policy } from '@pipe-backup/retention'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'

/** What the last prune of this host has left, and by which policy: what goes on as it always has needs nobody's consent. */
export class PruneLog {
  readonly #file: string
  readonly #last: { readonly policy: string; readonly kept: number } | undefined

  /**
   * @param directory - the state directory; a log that is lost is begun again
   * @param what - snapshots and archives are pruned each by themselves
   */
  static async open(directory: string, what: 'snapshots' | 'archives'): Promise<PruneLog> {
    const file = join(directory, what === 'snapshots' ? 'prune.json' : 'prune-archives.json')
    const saved = await readStateFile(file)
    const { policy, kept } = Object.fromEntries<unknown>(Object.entries(saved ?? {}))
    return new PruneLog(
      file,
      typeof policy === 'string' && typeof kept === 'number' ? { policy, kept } : undefined,
    )
  }

  private constructor(file: string, last: { readonly policy: string; readonly kept: number } | undefined) {
    this.#file = file
    this.#last = last
  }

  /** How many this very policy left last; undefined when it has not been applied last. */
  keptBy(policy: Policy): number | undefined {
    return this.#last?.policy === nameOf(policy) ? this.#last.kept : undefined
  }

  /** Not to be able to is no reason for a prune to fail: the next one may ask once more. */
  async record(policy: Policy, kept: number): Promise<void> {
    await writeState(this.#file, { policy: nameOf(policy), kept }).catch(() => undefined)
  }
}

function nameOf(policy: Policy): string {
  const rules = Object.entries(policy).filter(([, value]) => value !== undefined)
  const sorted = rules.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}
