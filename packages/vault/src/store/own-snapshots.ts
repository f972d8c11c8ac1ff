import { join } from 'node:path'
import { snapshotIdOf, snapshotTimeOf } from '../format/snapshot-object.ts'
import { isObject } from '../is-object.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'
import type { Replica } from './replica.ts'

/**
 * The newest snapshot that this host has stored on each sink. A sink that shows it no longer, without a prune, was rolled back, or somebody
 * deletes there: what it lists is as it was at some time, and no signature says that it is of today.
 */
export class OwnSnapshots {
  readonly #file: string
  readonly #vaultId: string
  /** Keys by sink. */
  readonly #newest: Map<string, string>

  /** @param directory - this host's state; holds `own-snapshots.json`, mode 0600 */
  static async open(directory: string, vaultId: string): Promise<OwnSnapshots> {
    const file = join(directory, 'own-snapshots.json')
    const saved = await readStateFile(file)
    const newest = new Map<string, string>()
    if (isObject(saved) && saved['vault'] === vaultId && isObject(saved['newest']))
      for (const [sink, key] of Object.entries(saved['newest']))
        if (typeof key === 'string' && snapshotIdOf(key) !== undefined) newest.set(sink, key)
    return new OwnSnapshots(file, vaultId, newest)
  }

  private constructor(file: string, vaultId: string, newest: Map<string, string>) {
    this.#file = file
    this.#vaultId = vaultId
    this.#newest = newest
  }

  /**
   * Finds what these sinks show no longer.
   * @param removed - ids of the snapshots that a prune has removed
   * @returns whether any shows less than it did
   */
  findMissing(replicas: readonly Replica[], removed: ReadonlySet<string>): boolean {
    let isAnyMissing = false
    for (const replica of replicas) {
      const key = this.#newest.get(replica.name)
      if (key === undefined || removed.has(snapshotIdOf(key) ?? '')) continue
      const { excluded, truncated } = replica.listing
      if (replica.has(key) || excluded.has(key) || truncated.has(key)) continue
      isAnyMissing = true
      const timeMs = snapshotTimeOf(key)?.getTime() ?? 0
      const hasNewer = [...replica.listing.snapshots.keys()].some(
        (shown) => (snapshotTimeOf(shown)?.getTime() ?? 0) > timeMs,
      )
      const why = hasNewer
        ? "it was rolled back, somebody deletes there, or this host's state is from before a prune"
        : 'it was rolled back, or somebody deletes there'
      replica.found(key, 'missing', `${key} was stored by this host and is not there any more: ${why}`)
    }
    return isAnyMissing
  }

  /** @param sinks - names of those that hold it now */
  async keep(key: string, sinks: readonly string[]): Promise<void> {
    for (const sink of sinks) this.#newest.set(sink, key)
    // Without it a rollback is not seen: no reason for a run to fail.
    const content = { vault: this.#vaultId, newest: Object.fromEntries(this.#newest) }
    await writeStateFile(this.#file, content).catch(() => undefined)
  }
}
