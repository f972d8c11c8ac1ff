import { forEachLimited } from '../for-each-limited.ts'
import { openIndex } from '../format/index-object.ts'
import { packKey, packNameOf } from '../format/pack-format.ts'
import { type SnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import type { VaultHost } from '../format/vault-host.ts'
import { checkGrant } from '../store/grant.ts'
import type { Replica } from '../store/replica.ts'
import { removedSnapshots } from '../store/replicas.ts'
import { bringObject } from './bring-object.ts'
import { bringPack } from './bring-pack.ts'
import { moveLost } from './move-lost.ts'
import { bringMarks, isUselessMark } from './reconcile-marks.ts'
import { type LostPack, ReconcileResult } from './reconcile-result.ts'
import { replaceObject } from './replace-object.ts'
import { uselessPacks } from './useless-packs.ts'

/** Packs that are in memory at a time. */
const PACKS_AT_ONCE = 4

export interface ReconcileOptions {
  /** All that could be listed, in the order in which they are asked. */
  readonly replicas: readonly Replica[]
  /** Those that are brought what they lack. */
  readonly targets: readonly Replica[]
  readonly host: VaultHost
  readonly stateDirectory: string
  readonly signal?: AbortSignal | undefined
  /** Looks at every snapshot that the targets show, and not only for those that they lack. */
  readonly thorough: boolean
  /** Whether what is damaged and of no use may be removed: that is for a host that maintains the vault. */
  readonly mayRemove: boolean
  /**
   * Whether a damaged trash object may be removed. What it condemned is then no longer condemned, until the next prune; a prune that
   * goes on would delete it all the same.
   */
  readonly mayForgetTrash: (replica: Replica) => boolean
  /** Asked before a snapshot is shown on a sink. @throws where what it rests on may have been deleted meanwhile */
  readonly requireAlive: (replica: Replica) => Promise<void>
  readonly onHealed?: ((sink: string, key: string, sizeBytes: number) => void) | undefined
}

interface Reconciled {
  readonly results: readonly ReconcileResult[]
  readonly lost: readonly LostPack[]
}

/**
 * Reconciles sinks, through memory: each gets every snapshot that any other shows and no prune has removed, after all the packs
 * that it needs; and in place of what is damaged there, what another has whole. One sink's failure does not stop the others.
 * @throws the abort's reason
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciled> {
  const reconciliation = new Reconciliation(options)
  await reconciliation.repair()
  const isReplaced = await reconciliation.replaceCorrupt()
  await reconciliation.complete()
  // What the replaced ones needed may be of no use now.
  if (isReplaced) await reconciliation.repair()
  if (await reconciliation.moveLost()) await reconciliation.complete()
  await reconciliation.removeUselessPacks()
  return { results: reconciliation.results, lost: reconciliation.lost() }
}

class Reconciliation {
  readonly results: readonly ReconcileResult[]
  readonly #options: ReconcileOptions
  /** Names of packs that no sink has whole, and the snapshots that need them. */
  readonly #lost = new Map<string, Set<string>>()
  /** Keys of snapshots that a sink shows, and that need what is unrecoverable. */
  readonly #corrupt = new Map<ReconcileResult, Set<string>>()

  constructor(options: ReconcileOptions) {
    this.#options = options
    this.results = options.targets.map((replica) => new ReconcileResult(replica, options.onHealed))
  }

  lost(): LostPack[] {
    return [...this.#lost].map(([name, keys]) => ({ key: packKey(name), snapshots: [...keys].sort() }))
  }

  /** Makes whole what the sinks show. */
  async repair(): Promise<void> {
    const { thorough } = this.#options
    for (const result of this.results) {
      const { replica } = result
      await replica.attempt(async () => {
        if (thorough) await replica.readHeads()
        const needed = thorough ? replica.neededPacks() : new Map<string, string[]>()
        for (const key of this.#knownDamage(replica)) {
          const name = packNameOf(key)
          if (name === undefined) continue
          // The run has put it back meanwhile.
          if (replica.has(key)) replica.proven(key)
          else if (!needed.has(name)) needed.set(name, [])
        }
        const missing = [...needed].filter(([name]) => !replica.has(packKey(name)))
        await forEachLimited(missing, PACKS_AT_ONCE, async ([name, snapshots]) => {
          if ((await this.#bringPack(name, [result], snapshots)) !== 'lost') return
          const corrupt = this.#corrupt.get(result) ?? new Set<string>()
          this.#corrupt.set(result, corrupt)
          for (const key of snapshots) corrupt.add(key)
        })
      })
    }
  }

  /**
   * Snapshots that can't be restored as a sink has them: another sink may name other packs for the same, after a compaction that did not
   * come here.
   * @returns whether any was replaced
   */
  async replaceCorrupt(): Promise<boolean> {
    let isReplaced = false
    for (const [result, keys] of this.#corrupt) {
      const { replica } = result
      for (const key of keys) {
        const own = replica.listing.snapshots.get(key)
        replica.exclude(key)
        if (!replica.error) await this.#bringSnapshot(key, [result])
        if (replica.has(key)) isReplaced = true
        else if (own) replica.include(key, own)
      }
      keys.clear()
    }
    return isReplaced
  }

  /** Brings what the sinks do not show. */
  async complete(): Promise<void> {
    const { replicas, thorough, mayRemove, host } = this.#options
    const removed = removedSnapshots(replicas)
    const snapshots = new Set(replicas.flatMap(({ listing }) => [...listing.snapshots.keys()]))
    // The newest first: it is the one that will be wanted.
    for (const key of [...snapshots].sort().reverse()) {
      if (removed.has(snapshotIdOf(key) ?? '')) continue
      const lacking = this.#lacking(this.results, key)
      if (lacking.length > 0) await this.#bringSnapshot(key, lacking)
    }
    for (const result of this.results) {
      await result.replica.attempt(async () => {
        await bringMarks(result, replicas, host.keys)
        await this.#bringGrantsAndIndexes(result)
        if (thorough && mayRemove) await this.#removeCorrupt(result, removed)
      })
    }
  }

  /** Makes whole what needs unrecoverable packs, and has been stored again in others. @returns whether anything was, which others may lack */
  async moveLost(): Promise<boolean> {
    if (!this.#options.thorough || !this.#options.mayRemove || this.#lost.size === 0) return false
    const replaced = await moveLost({ ...this.#options, lost: this.#lost })
    for (const result of this.results)
      for (const [key, sizeBytes] of replaced.get(result.replica) ?? [])
        result.count('objects', key, sizeBytes)
    return replaced.size > 0
  }

  /** Takes away packs that are damaged, and that nothing needs as things stand now. */
  async removeUselessPacks(): Promise<void> {
    const { replicas, thorough, mayRemove } = this.#options
    if (!thorough || !mayRemove) return
    const removed = removedSnapshots(replicas)
    for (const result of this.results)
      await result.replica.attempt(async () => {
        for (const key of await uselessPacks(result.replica, replicas, removed))
          await removeUseless(result, key)
      })
  }

  #lacking(results: readonly ReconcileResult[], key: string): ReconcileResult[] {
    return results.filter(({ replica }) => !replica.error && !replica.has(key))
  }

  async #bringSnapshot(key: string, results: readonly ReconcileResult[]): Promise<void> {
    const tried = new Set<string>()
    for (const giver of this.#options.replicas) {
      const lacking = this.#lacking(results, key)
      if (lacking.length === 0) return
      const found = await this.#readSnapshot(giver, key)
      // Sinks that missed a compaction name other packs than those which did not.
      const version = found && JSON.stringify(found.head.packs)
      if (!version || tried.has(version)) continue
      tried.add(version)
      if (await this.#bringVersion(key, found, lacking)) this.#recover(key)
    }
  }

  async #readSnapshot(
    giver: Replica,
    key: string,
  ): Promise<{ object: Uint8Array; head: SnapshotHead } | undefined> {
    if (!giver.has(key)) return undefined
    try {
      return await giver.readSnapshot(key)
    } catch (error) {
      giver.report(error)
      return undefined
    }
  }

  /** @returns whether any sink has got it: not when something that it needs is unrecoverable, or condemned on each */
  async #bringVersion(
    key: string,
    { object, head }: { object: Uint8Array; head: SnapshotHead },
    results: readonly ReconcileResult[],
  ): Promise<boolean> {
    const able = results.filter(({ replica, postponed }) => {
      if (!head.packs.some(([name]) => replica.listing.condemned.has(name))) return true
      postponed.add(key)
      return false
    })
    let isWhole = true
    await forEachLimited(head.packs, PACKS_AT_ONCE, async ([name]) => {
      const lacking = this.#lacking(able, packKey(name))
      if (lacking.length > 0 && (await this.#bringPack(name, lacking, [key])) !== 'brought') isWhole = false
    })
    if (!isWhole || able.length === 0) return false
    for (const result of able) {
      const { replica } = result
      await replica.attempt(async () => {
        await this.#options.requireAlive(replica)
        if (!(await replaceObject(replica, key, object))) return
        result.count('objects', key, object.length)
        result.postponed.delete(key)
      })
    }
    return true
  }

  /** A snapshot that was taken for lost is whole. */
  #recover(key: string): void {
    for (const [name, snapshots] of this.#lost) {
      snapshots.delete(key)
      if (snapshots.size === 0) this.#lost.delete(name)
    }
  }

  async #bringPack(
    name: string,
    results: readonly ReconcileResult[],
    neededBy: readonly string[],
  ): Promise<Awaited<ReturnType<typeof bringPack>>> {
    const byReplica = new Map(results.map((result) => [result.replica, result]))
    const outcome = await bringPack(
      name,
      [...byReplica.keys()],
      this.#options.replicas,
      (replica, sizeBytes) => byReplica.get(replica)?.count('packs', packKey(name), sizeBytes),
    )
    if (outcome === 'unanswered') for (const result of results) result.unanswered++
    if (outcome === 'lost' && neededBy.length > 0) {
      const known = this.#lost.get(name) ?? new Set<string>()
      this.#lost.set(name, known)
      for (const snapshot of neededBy) known.add(snapshot)
    }
    return outcome
  }

  /** Indexes are a cache: without one, footers are read. */
  async #bringGrantsAndIndexes(result: ReconcileResult): Promise<void> {
    const { replicas, host } = this.#options
    const wanted = replicas.flatMap(({ listing }) => [...listing.grants.keys(), ...listing.indexes.keys()])
    for (const key of new Set(wanted))
      await bringObject(result, replicas, key, (object) =>
        key.startsWith('index/') ? openIndex(host.keys, key, object) : checkGrant(host.keys, key, object),
      )
  }

  /** Takes away what is damaged and was brought by no other sink, where nothing is lost with it. */
  async #removeCorrupt(result: ReconcileResult, removed: ReadonlySet<string>): Promise<void> {
    const { replica } = result
    for (const key of this.#knownDamage(replica)) {
      const isUseless = key.startsWith('trash/')
        ? this.#options.mayForgetTrash(replica)
        : (key.startsWith('index/') && !replica.has(key)) ||
          (removed.has(snapshotIdOf(key) ?? '') && !(await replica.readSnapshot(key))) ||
          (await isDisownedSnapshot(replica, key)) ||
          (await isUselessMark(replica, this.#options.replicas, key))
      if (isUseless) await removeUseless(result, key)
    }
  }

  #knownDamage({ name, context }: Replica): readonly string[] {
    return [...(context.book?.of(name).keys() ?? [])]
  }
}

/** Whether it is a snapshot that no other sink has had better, and that nobody wrote who might. @throws as `Replica.read` */
async function isDisownedSnapshot(replica: Replica, key: string): Promise<boolean> {
  if (snapshotIdOf(key) === undefined || replica.has(key)) return false
  if (!replica.damaged.has(key)) await replica.readSnapshot(key)
  return replica.isDisowned(key)
}

/** Of what is damaged, needed by nothing, and unrecoverable. */
async function removeUseless(result: ReconcileResult, key: string): Promise<void> {
  const refused = await result.replica.remove([key])
  for (const error of refused.values()) throw error
  result.count('objects', key, 0)
}
