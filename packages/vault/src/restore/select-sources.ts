import { type SnapshotInfo, selectSnapshot, timeOfSpec, type UnreadableSnapshot } from '../store/snapshots.ts'
import { VaultError } from '../vault-error.ts'

export interface SelectSourcesOptions {
  /** All there are, oldest first. */
  readonly snapshots: readonly SnapshotInfo[]
  /** An id or a prefix of it, `latest`, `latest~2`, or a time. */
  readonly spec: string
  /** Names of the sources that are asked for. */
  readonly sources?: readonly string[] | undefined
  /** What `latest` and a time are looked for among: this host's id, where it has snapshots. */
  readonly hostId?: string | undefined
  /** Without `sources`: those that are to be there. Default: all that this host's snapshots have. */
  readonly expected?: readonly string[] | undefined
  /** Snapshots that could not be read. */
  readonly unreadable?: readonly UnreadableSnapshot[] | undefined
}

/** What is read: each source from the snapshot that has its newest good copy. */
export interface SelectedSources {
  /** All of it as one snapshot: of the newest that something is taken from. */
  readonly snapshot: SnapshotInfo
  /** Of each source. */
  readonly from: ReadonlyMap<string, SnapshotInfo>
  /** Why this is not all that it should be, a line each; empty when it is. */
  readonly shortcomings: readonly string[]
  /** A newer snapshot than what is read is there, and can't be read; `shortcomings` has it too. */
  readonly isOutdated: boolean
  /** What is taken from an older snapshot since the newest does not have it, a line each. */
  readonly remarks: readonly string[]
}

/**
 * Finds the newest good copy of what is asked for: with `latest`, `latest~N` or a time each source is taken from the last snapshot that has
 * it complete, whichever run that was; an id stands for exactly that snapshot.
 * @throws VaultError `not-found`, `ambiguous`
 */
export function selectSources(options: SelectSourcesOptions): SelectedSources {
  const { snapshots, spec, sources } = options
  if (!isRelative(spec) || snapshots.length === 0) return exactly(selectSnapshot(snapshots, spec), sources)
  const own = snapshots.filter(({ hostId }) => hostId === options.hostId)
  const among = own.length > 0 ? own : snapshots
  const shortcomings: string[] = []
  const from = new Map<string, SnapshotInfo>()
  for (const name of sources ?? expectedOf(among, options)) {
    const chosen = chooseFor(name, among, spec, shortcomings)
    if (chosen) from.set(name, chosen)
  }
  const taken = [...new Set(from.values())].sort((a, b) => among.indexOf(a) - among.indexOf(b))
  const newest = taken.at(-1)
  if (!newest) {
    // What is wrong with the time or the number is said of the snapshots, what is wrong with a name below.
    selectSnapshot(among, spec)
    throw notThere(sources ?? [], among)
  }
  const missing = sources?.filter((name) => !from.has(name)) ?? []
  if (missing.length > 0) throw notThere(missing, among)
  const oldestMs = Math.min(...taken.map(({ time }) => time.getTime()))
  const untilMs = spec.startsWith('latest') ? Number.POSITIVE_INFINITY : timeOfSpec(spec)
  const newer = (options.unreadable ?? []).filter(
    ({ time }) => time.getTime() > oldestMs && time.getTime() <= untilMs,
  )
  for (const { key } of newer) shortcomings.push(`${key} is newer than what is read here, and can't be read`)
  const packs = new Map(taken.flatMap(({ head }) => head.packs.map((pack) => [pack[0], pack] as const)))
  const sourcesOf = [...from].flatMap(([name, { head }]) =>
    head.sources.filter((source) => source.name === name),
  )
  const head = { ...newest.head, sources: sourcesOf, packs: [...packs.values()] }
  return {
    snapshot: { ...newest, sources: sourcesOf, head },
    from,
    shortcomings,
    isOutdated: newer.length > 0,
    remarks: remarksOn(from, among, spec),
  }
}

/** One snapshot as it is. */
function exactly(snapshot: SnapshotInfo, sources: readonly string[] | undefined): SelectedSources {
  const asked = snapshot.sources.filter(({ name }) => sources?.includes(name) ?? true)
  return {
    snapshot,
    from: new Map(asked.map(({ name }) => [name, snapshot])),
    isOutdated: false,
    remarks: [],
    shortcomings: asked.flatMap((source) =>
      source.state === 'ok' ? [] : [sourceStateLine(source, snapshot)],
    ),
  }
}

function expectedOf(
  among: readonly SnapshotInfo[],
  { expected = [] }: SelectSourcesOptions,
): readonly string[] {
  const all = among.flatMap(({ sources }) => sources.map(({ name }) => name))
  const newest = among.at(-1)?.sources.map(({ name }) => name) ?? []
  const known = new Set(all)
  const wanted = expected.filter((name) => known.has(name))
  return [...new Set(wanted.length > 0 ? [...wanted, ...newest] : all)]
}

function chooseFor(
  name: string,
  among: readonly SnapshotInfo[],
  spec: string,
  shortcomings: string[],
): SnapshotInfo | undefined {
  const sourceIn = ({ sources }: SnapshotInfo) => sources.find((source) => source.name === name)
  const pick = (state: 'ok' | 'incomplete') =>
    tryToSelect(
      among.filter((snapshot) => sourceIn(snapshot)?.state === state),
      spec,
    )
  const chosen = pick('ok') ?? pick('incomplete')
  // `latest~2` counts good ones: what was wrong since is known to whoever asks for an old one.
  const until = spec.includes('~') ? chosen : tryToSelect(among.filter(sourceIn), spec)
  const last = until && sourceIn(until)
  if (until && last && last.state !== 'ok') {
    const instead =
      chosen && chosen !== until ? `; taken from snapshot ${chosen.id} of ${chosen.head.time}` : ''
    shortcomings.push(`${sourceStateLine(last, until)}${instead}`)
  }
  return chosen
}

/** Sources that the newest snapshot was not made of: what failed in it is a shortcoming. */
function remarksOn(
  from: ReadonlyMap<string, SnapshotInfo>,
  among: readonly SnapshotInfo[],
  spec: string,
): readonly string[] {
  const newest = spec.includes('~') ? undefined : tryToSelect(among, spec)
  if (!newest) return []
  return [...from].flatMap(([name, { id, head }]) =>
    id === newest.id || newest.sources.some((source) => source.name === name)
      ? []
      : `source "${name}" is taken from snapshot ${id} of ${head.time}: the newest one does not have it`,
  )
}

/** What is to be said of a source that a snapshot does not have whole: the snapshot, the source, and why. */
export function sourceStateLine(source: SnapshotInfo['sources'][number], { id }: SnapshotInfo): string {
  const why = source.error === undefined ? '' : `: ${source.error}`
  return `snapshot ${id}: source "${source.name}" ${source.state === 'failed' ? 'failed' : 'is incomplete'}${why}`
}

function tryToSelect(snapshots: readonly SnapshotInfo[], spec: string): SnapshotInfo | undefined {
  try {
    return selectSnapshot(snapshots, spec)
  } catch (error) {
    if (error instanceof VaultError && error.code === 'not-found') return undefined
    throw error
  }
}

function notThere(names: readonly string[], among: readonly SnapshotInfo[]): VaultError {
  const known = [...new Set(among.flatMap(({ sources }) => sources.map(({ name }) => name)))]
  const asked = names.length === 0 ? 'a source that could be read' : `a good copy of ${names.join(', ')}`
  return new VaultError('not-found', `no snapshot has ${asked}`, {
    hint: `A path begins with its source's name (${known.join(', ')}); \`pipe-backup snapshots\` lists what there is.`,
  })
}

function isRelative(spec: string): boolean {
  return spec.startsWith('latest') || /^\d{4}-\d{2}-\d{2}/.test(spec)
}
