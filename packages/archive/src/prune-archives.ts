import type { ObjectKeys } from '@pipe-backup/crypto'
import { type ObjectInfo, type Sink, SinkError, toError } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { archiveKey, sumKey } from './archive-key.ts'
import { type ArchiveInfo, type ArchiveView, listArchives } from './list-archives.ts'

export interface PruneArchivesOptions {
  readonly sinks: readonly Sink[]
  readonly keys: ObjectKeys
  /** @returns the ids of those to be removed */
  readonly choose: (archives: readonly ArchiveInfo[]) => ReadonlySet<string>
  readonly dryRun?: boolean | undefined
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PrunedArchives {
  readonly name: string
  readonly bytesFreed: number
  /** Objects that the sink does not let go of: it is append-only, or holds them for a time. */
  readonly refused: number
  readonly error?: Error | undefined
}

export interface PruneArchivesReport {
  readonly archives: readonly ArchiveInfo[]
  readonly removed: readonly string[]
  readonly sinks: readonly PrunedArchives[]
}

/** What was broken off is no longer being sent when it is so old. */
const LEFTOVER_MS = 24 * 3_600_000

/**
 * Removes archives, one sink after the other, and from no sink that lacks one that stays: its last copy may be the one that goes. What was
 * broken off and has no proof on any sink goes a day later.
 * @throws the abort's reason
 */
export async function pruneArchives(options: PruneArchivesOptions): Promise<PruneArchivesReport> {
  const { sinks, keys, choose, signal, now = () => new Date() } = options
  const { archives, views, failures, badSums } = await listArchives({ sinks, keys, signal })
  const removed = choose(archives)
  const stay = archives.filter(({ id }) => !removed.has(id))
  const known = new Set([...archives.map(({ id }) => id), ...badSums.map(({ id }) => id)])
  const isLeftover = ({ storedAt }: ObjectInfo, id: string) =>
    failures.size === 0 && !known.has(id) && now().getTime() - storedAt.getTime() > LEFTOVER_MS
  const pruned: PrunedArchives[] = []
  for (const { name } of sinks) {
    const view = views.find(({ sink }) => sink.name === name)
    if (!view) {
      pruned.push({ name, bytesFreed: 0, refused: 0, error: failures.get(name) })
      continue
    }
    const goes = [...view.archives].filter(([id, info]) => removed.has(id) || isLeftover(info, id))
    const lacking = stay.find(({ holders }) => !holders.includes(view.sink))
    pruned.push(
      lacking && goes.length > 0
        ? { name, bytesFreed: 0, refused: 0, error: incomplete(name, lacking.id) }
        : await remove(view, goes, options),
    )
    signal?.throwIfAborted()
  }
  return { archives, removed: [...removed], sinks: pruned }
}

async function remove(
  { sink, sums }: ArchiveView,
  goes: readonly (readonly [id: string, info: ObjectInfo])[],
  { dryRun, signal }: PruneArchivesOptions,
): Promise<PrunedArchives> {
  const { name } = sink
  const bytes = goes.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0)
  if (dryRun || goes.length === 0) return { name, bytesFreed: bytes, refused: 0 }
  try {
    // Without its proof it is no archive: what is interrupted here leaves none that is half there.
    const gone = [
      goes.flatMap(([id]) => (sums.has(id) ? [sumKey(id)] : [])),
      goes.map(([id]) => archiveKey(id)),
    ]
    let refused = 0
    let kept = 0
    for (const some of gone) {
      const left = await sink.deleteMany(some, { signal })
      for (const [key, error] of left) {
        if (!(error instanceof SinkError && error.code === 'forbidden')) throw error
        refused++
        kept += goes.find(([id]) => archiveKey(id) === key)?.[1].sizeBytes ?? 0
      }
    }
    return { name, bytesFreed: bytes - kept, refused }
  } catch (error) {
    signal?.throwIfAborted()
    return {
      name,
      bytesFreed: 0,
      refused: 0,
      error: toError(error),
    }
  }
}

function incomplete(sink: string, id: string): ArchiveError {
  return new ArchiveError(
    'incomplete',
    `sink "${sink}" lacks ${id}, which stays: nothing is removed from it`,
    {
      hint: 'Heal it first: pipe-backup heal',
    },
  )
}
