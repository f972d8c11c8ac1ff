import { toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'
import { type HostHistory, HostVersions } from './host-versions.ts'
import { type OpenSnapshotsOptions, openChunks } from './open-chunks.ts'
import { type AtPath, PathFinder } from './path-finder.ts'
import type { ReadsChunks } from './walk-manifest.ts'

export interface HistoryOptions extends OpenSnapshotsOptions {
  /** Raw bytes, from its source's name on. */
  readonly path: Uint8Array
  /** Called for snapshots of which what they have there can't be read: the history is without them. Without this it ends with the error. */
  readonly onUnreadable?: ((error: Error, snapshots: readonly SnapshotInfo[]) => void) | undefined
}

/** A remote sink answers so many at once about as fast as one. */
const LOOKUPS_AT_ONCE = 8

/**
 * How one path was in all the snapshots, host by host. Of each manifest the nodes on the way to the path are read, once for all the manifests that have them. A snapshot that is
 * without the source, or in which it failed, says nothing of the path. Of a directory neither its time nor what is in it counts.
 * @returns the hosts that have had the path, or where it could not be looked for
 * @throws VaultError `not-found` when no snapshot has it, naming the nearest directory that one has
 */
export async function pathHistory(options: HistoryOptions): Promise<readonly HostHistory[]> {
  const { snapshots, path, onUnreadable, signal } = options
  const slash = path.indexOf(0x2f)
  const [source, within] =
    slash < 0 ? [text(path), undefined] : [text(path.subarray(0, slash)), path.subarray(slash + 1)]
  const roots = rootsOf(source, snapshots)
  const chunks = await openChunks({ ...options, snapshots: [...roots.keys()] })
  const finder = within && new ManifestLookup(chunks, within)
  const found = new Map<string, AtPath>()
  const unreadable = new Map<string, Error>()
  await forEachLimited(new Set(roots.values()), LOOKUPS_AT_ONCE, async (root) => {
    signal?.throwIfAborted()
    try {
      found.set(root, finder ? await finder.in(Buffer.from(root, 'hex')) : 'inferred')
    } catch (error) {
      signal?.throwIfAborted()
      if (!onUnreadable) throw error
      unreadable.set(root, toError(error))
    }
  })
  for (const [root, error] of unreadable)
    onUnreadable?.(
      error,
      [...roots].flatMap(([snapshot, of]) => (of === root ? [snapshot] : [])),
    )
  if (unreadable.size === 0 && ![...found.values()].some((at) => at !== undefined))
    throw notThere(path, source, finder?.nearest, roots.size)
  const histories = new Map<string, HostVersions>()
  for (const [snapshot, root] of roots) {
    if (unreadable.has(root)) continue
    const { hostId } = snapshot
    const history = histories.get(hostId) ?? new HostVersions(chunks, source, options)
    histories.set(hostId, history)
    await history.add(snapshot, found.get(root))
  }
  return [...histories.values()].flatMap((history) => history.result() ?? [])
}

/** The manifest of a source in each snapshot that has one, hex. @throws VaultError `not-found` when none has */
function rootsOf(source: string, snapshots: readonly SnapshotInfo[]): Map<SnapshotInfo, string> {
  const roots = new Map<SnapshotInfo, string>()
  let failures = 0
  for (const snapshot of snapshots) {
    const found = snapshot.head.sources.find(({ name }) => name === source)
    if (found?.root !== undefined) roots.set(snapshot, found.root)
    else if (found) failures++
  }
  if (roots.size > 0) return roots
  const names = new Set(snapshots.flatMap(({ sources }) => sources.map(({ name }) => name)))
  throw new VaultError(
    'not-found',
    failures > 0
      ? `source "${source}" failed in each snapshot that was to have it`
      : `no snapshot has a source "${source}"`,
    { hint: `A path begins with its source's name: ${[...names].join(', ') || 'there is no snapshot yet'}.` },
  )
}

function notThere(
  path: Uint8Array,
  source: string,
  nearest: Uint8Array | undefined,
  count: number,
): VaultError {
  const near = nearest && nearest.length > 0 ? `${source}/${text(nearest)}` : source
  const where = `${count === 1 ? 'the only snapshot' : `none of ${count} snapshots`} with source "${source}"`
  const has = count === 1 ? 'does not have' : 'has'
  return new VaultError('not-found', `${where} ${has} ${text(path)}: what is there of it is ${near}`)
}

/** As PathFinder, with the file in place of a hard link to it. */
class ManifestLookup {
  readonly #chunks: ReadsChunks
  readonly #finder: PathFinder
  readonly #targets = new Map<string, PathFinder>()

  constructor(chunks: ReadsChunks, path: Uint8Array) {
    this.#chunks = chunks
    this.#finder = new PathFinder(chunks, path)
  }

  get nearest(): Uint8Array {
    return this.#finder.nearest
  }

  async in(root: Uint8Array): Promise<AtPath> {
    const at = await this.#finder.in(root)
    if (at === undefined || at === 'inferred' || at.type !== 'hardlink') return at
    const name = Buffer.from(at.linkTo).toString('latin1')
    const targets = this.#targets.get(name) ?? new PathFinder(this.#chunks, at.linkTo)
    this.#targets.set(name, targets)
    const file = await targets.in(root)
    return file !== undefined && file !== 'inferred' && file.type === 'file' ? { ...file, path: at.path } : at
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}
