import type { ObjectKeys } from '@pipe-backup/crypto'
import { type ObjectInfo, type Sink, SinkError, toError } from '@pipe-backup/sink'
import { ArchiveError } from './archive-error.ts'
import { ARCHIVES, type ArchiveName, archiveKey, idOfSum, parseArchiveKey } from './archive-key.ts'
import { type ArchiveSum, readSum } from './archive-sum.ts'

export interface ArchiveInfo extends ArchiveName, ArchiveSum {
  /** When the first of the sinks stored it, by that sink's own clock. */
  readonly storedAt: Date
  /** Those that show it with its length, in the caller's order. */
  readonly holders: readonly Sink[]
}

/** What a sink shows below `archives/`. */
export interface ArchiveView {
  readonly sink: Sink
  /** By id. */
  readonly archives: ReadonlyMap<string, ObjectInfo>
  /** Ids of the archives whose proof is there. */
  readonly sums: ReadonlySet<string>
}

export interface ArchiveList {
  /** Oldest first. An archive is one when a sink has its proof: what was broken off never gets one. */
  readonly archives: readonly ArchiveInfo[]
  /** Of the sinks that answer. */
  readonly views: readonly ArchiveView[]
  readonly failures: ReadonlyMap<string, Error>
  /** Proofs that are damaged: sink and archive. */
  readonly badSums: readonly { readonly sink: string; readonly id: string; readonly error: Error }[]
}

export interface ListArchivesOptions {
  readonly sinks: readonly Sink[]
  readonly keys: ObjectKeys
  readonly signal?: AbortSignal | undefined
}

const SUMS_AT_ONCE = 8
/** One a minute for two years. */
const MAX_LISTED = 2 ** 20

/** All the archives on these sinks. Needs no phrase. @throws the first sink's error when none answers */
export async function listArchives({ sinks, keys, signal }: ListArchivesOptions): Promise<ArchiveList> {
  const failures = new Map<string, Error>()
  const looked = await Promise.all(
    sinks.map(async (sink) => {
      try {
        return await viewOf(sink, signal)
      } catch (error) {
        signal?.throwIfAborted()
        failures.set(sink.name, toError(error))
        return undefined
      }
    }),
  )
  const views = looked.filter((view) => view !== undefined)
  const [first] = failures.values()
  if (views.length === 0 && first) throw first
  const badSums: { sink: string; id: string; error: Error }[] = []
  const archives: ArchiveInfo[] = []
  const ids = [...new Set(views.flatMap(({ sums }) => [...sums]))].sort()
  for (let i = 0; i < ids.length; i += SUMS_AT_ONCE) {
    const some = await Promise.all(
      ids.slice(i, i + SUMS_AT_ONCE).map(async (id) => {
        const sum = await readAnySum(id, views, keys, signal, (sink, error) => {
          badSums.push({ sink, id, error })
        })
        return sum && toInfo(sum, views)
      }),
    )
    archives.push(...some.filter((info) => info !== undefined))
  }
  return { archives, views, failures, badSums }
}

async function viewOf(sink: Sink, signal: AbortSignal | undefined): Promise<ArchiveView> {
  const archives = new Map<string, ObjectInfo>()
  const sums = new Set<string>()
  let listed = 0
  for await (const info of sink.list(ARCHIVES, { signal })) {
    if (++listed > MAX_LISTED)
      throw new SinkError('protocol', `${ARCHIVES} has more than ${MAX_LISTED} objects`, { sink: sink.name })
    const id = parseArchiveKey(info.key)?.id
    const proven = idOfSum(info.key)
    if (id !== undefined) archives.set(id, info)
    else if (proven !== undefined) sums.add(proven)
  }
  return { sink, archives, sums }
}

async function readAnySum(
  id: string,
  views: readonly ArchiveView[],
  keys: ObjectKeys,
  signal: AbortSignal | undefined,
  onBad: (sink: string, error: Error) => void,
): Promise<ArchiveSum | undefined> {
  for (const { sink, sums } of views) {
    if (!sums.has(id)) continue
    try {
      return await readSum(sink, id, keys, signal)
    } catch (error) {
      signal?.throwIfAborted()
      onBad(sink.name, toError(error))
    }
  }
  return undefined
}

function toInfo(sum: ArchiveSum, views: readonly ArchiveView[]): ArchiveInfo | undefined {
  const name = parseArchiveKey(archiveKey(sum.id))
  if (!name) return undefined
  const shown = views.flatMap(({ archives }) => archives.get(sum.id) ?? [])
  const storedAt = new Date(
    Math.min(...shown.map((info) => info.storedAt.getTime()), Number.MAX_SAFE_INTEGER),
  )
  const holders = views.filter(({ archives }) => archives.get(sum.id)?.sizeBytes === sum.sizeBytes)
  return { ...name, ...sum, storedAt, holders: holders.map(({ sink }) => sink) }
}

/**
 * Chooses an archive: by its id or a unique beginning of it; `latest`, `latest~2`; a time, for the last one not after it; or a name, for the
 * last one that is called so.
 * @param archives - oldest first
 * @throws ArchiveError `not-found`, `ambiguous`
 */
export function selectArchive(archives: readonly ArchiveInfo[], spec: string): ArchiveInfo {
  const hint = '`pipe-backup archives` lists them.'
  const notFound = (message: string) => new ArchiveError('not-found', message, { hint })
  if (archives.length === 0)
    throw new ArchiveError('not-found', 'there is no archive yet', {
      hint: 'Make one with `pipe-backup send`.',
    })
  const latest = /^latest(?:~(\d{1,9}))?$/.exec(spec)
  if (latest) {
    const chosen = archives.at(-1 - Number(latest[1] ?? 0))
    if (!chosen) throw notFound(`there is no archive ${spec}: there are ${archives.length}`)
    return chosen
  }
  const named = archives.findLast(({ name }) => name === spec)
  if (named) return named
  if (/^\d{4}-\d{2}-\d{2}/.test(spec)) {
    const until = Date.parse(spec.length === 10 ? `${spec}T23:59:59.999` : spec)
    if (Number.isNaN(until)) throw notFound(`"${spec}" is not a time, such as 2026-11-23T10:00`)
    const chosen = archives.findLast(({ time }) => time.getTime() <= until)
    if (!chosen) throw notFound(`there is no archive as old as ${spec}`)
    return chosen
  }
  const wanted = spec.startsWith(ARCHIVES) ? spec.slice(ARCHIVES.length) : spec
  const matches = archives.filter(({ id }) => id.startsWith(wanted))
  const [match] = matches
  if (!match) throw notFound(`there is no archive "${spec}"`)
  if (matches.length === 1 || match.id === wanted) return match
  throw new ArchiveError('ambiguous', `"${spec}" fits ${matches.length} archives`, { hint })
}
