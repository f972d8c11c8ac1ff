import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import {
  createVaultHost,
  type DamagedObject,
  damagedObject,
  type HealReport,
  heal,
  listSnapshots,
  openSnapshot,
  type SnapshotInfo,
  type SnapshotReader,
  selectSources,
  sourceStateLine,
  type UnreadableSnapshot,
} from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { nothingMatches, snapshotFilter } from '../find/filter-snapshots.ts'
import { findHost } from '../host/load-host.ts'
import { sourceOfPath } from '../snapshot-path.ts'
import { errorLine, sinkProblem } from '../terminal/error-line.ts'
import { plural } from '../terminal/quantities.ts'
import { UsageError } from '../usage-error.ts'
import { openConfig, openReadingSinks } from './open-config.ts'
import { openVaultKeys } from './vault-keys.ts'

/** The vault opened for reading, with all its snapshots. */
export interface OpenedSnapshots extends AsyncDisposable {
  readonly config: LoadedConfig
  readonly sinks: readonly Sink[]
  readonly keys: VaultKeys
  /** Oldest first. */
  readonly snapshots: readonly SnapshotInfo[]
  /** Snapshots that open on no sink. */
  readonly unreadable: readonly UnreadableSnapshot[]
  /** Given each object that was missing or damaged, and of each sink that did not answer. */
  readonly onProblem: (error: Error) => void
  /** Puts back, from sinks that have them whole, the objects that were found missing or damaged. @returns what became of it */
  readonly repair: () => Promise<HealReport | undefined>
}

/** A snapshot opened for reading, and what is behind it. */
export interface Reading extends AsyncDisposable {
  readonly config: LoadedConfig
  /** With `latest` or a time its sources may be from several snapshots. */
  readonly snapshot: SnapshotInfo
  /** 3 when what is read is not all that it should be, which has been said; else 0. */
  readonly exitCode: 0 | 3
  /** A newer snapshot is there, and can't be read. */
  readonly isOutdated: boolean
  readonly reader: SnapshotReader
  /** As for all the snapshots. */
  readonly repair: () => Promise<HealReport | undefined>
}

/** Opens the vault with the recovery phrase, and of its snapshots those with any of these tags, where there are any: needs no host key, no state, and no more than a configuration with sinks. */
export async function openSnapshots(
  cli: CliContext,
  phraseFile: string | undefined,
  tags: readonly string[] = [],
): Promise<OpenedSnapshots> {
  const { signal, output } = cli
  const damaged: DamagedObject[] = []
  const onProblem = (error: Error): void => {
    output.warn(errorLine(error))
    const object = damagedObject(error)
    if (object) damaged.push(object)
  }
  await using stack = new AsyncDisposableStack()
  const config = await openConfig(cli)
  const { sinks } = stack.use(await openReadingSinks(config, cli))
  const keys = await openVaultKeys(sinks, cli, phraseFile)
  const unreadable: UnreadableSnapshot[] = []
  const onUnreadable = (snapshot: UnreadableSnapshot) => unreadable.push(snapshot)
  const withMarks = tags.length > 0
  const listed = await listSnapshots({ sinks, keys, withMarks, signal, onProblem, onUnreadable })
  const snapshots = listed.filter(snapshotFilter({ tag: tags }))
  if (snapshots.length === 0 && listed.length > 0) throw new UsageError(nothingMatches(listed))
  const opened = stack.move()
  const repair = async (): Promise<HealReport | undefined> => {
    if (damaged.length === 0) return undefined
    return await heal({
      host: createVaultHost(keys),
      hostName: config.host,
      sinks,
      isNew: () => false,
      damaged,
      thorough: false,
      stateDirectory: config.state,
      signal,
      onHealed: (sink, key) => output.print(`sink "${sink}": ${key} repaired`),
      onProblem: (sink, error) => output.warn(...sinkProblem(sink, error)),
    })
  }
  const close = (): Promise<void> => opened.disposeAsync()
  return { config, sinks, keys, snapshots, unreadable, onProblem, repair, [Symbol.asyncDispose]: close }
}

/**
 * Opens the newest good copy of what is asked for, or one snapshot.
 * @param spec - an id, a prefix of it, `latest`, `latest~2`, or a time
 * @param paths - what is asked for; without it all @param tags - only of snapshots with any of these; without it of all
 */
export async function openReading(
  cli: CliContext,
  spec: string,
  phraseFile: string | undefined,
  paths?: readonly Uint8Array[],
  tags?: readonly string[],
): Promise<Reading> {
  await using stack = new AsyncDisposableStack()
  const vault = stack.use(await openSnapshots(cli, phraseFile, tags))
  const reading = stack.use(await readingOf(vault, cli, spec, paths))
  const opened = stack.move()
  return { ...reading, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** The same, of a vault that is open already, and stays so. */
export async function readingOf(
  vault: OpenedSnapshots,
  cli: CliContext,
  spec: string,
  paths?: readonly Uint8Array[],
): Promise<Reading> {
  const { config, sinks, keys, snapshots, unreadable, onProblem, repair } = vault
  // One whose file is damaged has the phrase all the same: it is read as any other machine would.
  const host = await findHost(config.hostKey).catch(() => undefined)
  const { snapshot, from, shortcomings, isOutdated, remarks } = selectSources({
    snapshots,
    spec,
    sources: paths && [...new Set(paths.map(sourceOfPath))],
    hostId: host?.hostId,
    expected: config.sources.map(({ name }) => name),
    unreadable,
  })
  const taken = new Set(from.values())
  const reader = await openSnapshot({
    sinks,
    keys,
    snapshot,
    from: [...taken],
    signal: cli.signal,
    onProblem,
  })
  if (taken.size <= 1) noteSnapshot(cli, snapshot)
  else
    for (const [name, { id, host, time }] of from)
      cli.output.note(`${name}: snapshot ${id} of ${host}, ${time.toISOString()}`)
  for (const line of [...shortcomings, ...remarks]) cli.output.warn(line)
  for (const of of taken) warnOfSources(cli, of, (name) => !from.has(name))
  return {
    config,
    snapshot,
    exitCode: shortcomings.length > 0 ? 3 : 0,
    isOutdated,
    reader,
    repair,
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  }
}

function noteSnapshot({ output }: Pick<CliContext, 'output'>, { id, host, time }: SnapshotInfo): void {
  output.note(`snapshot ${id} of ${host}, ${time.toISOString()}`)
}

/** Says that what is shown is without some snapshots. @returns the exit code that this makes: 3 where there are any */
export function warnOfUnreadable(
  unreadable: readonly UnreadableSnapshot[],
  { output }: Pick<CliContext, 'output'>,
): 0 | 3 {
  if (unreadable.length === 0) return 0
  const many = plural(unreadable.length, 'snapshot')
  output.warn(
    `${many} can't be opened on any sink, and what is shown is without: ${unreadable[0]?.key} is the first. What is damaged says: pipe-backup verify`,
  )
  return 3
}

/** Says which snapshot is read, and warns of what it lacks. */
export function reportSnapshot({ output }: Pick<CliContext, 'output'>, snapshot: SnapshotInfo): void {
  noteSnapshot({ output }, snapshot)
  warnOfSources({ output }, snapshot, () => true)
}

function warnOfSources(
  { output }: Pick<CliContext, 'output'>,
  snapshot: SnapshotInfo,
  isMeant: (source: string) => boolean,
): void {
  for (const source of snapshot.sources)
    if (source.state !== 'ok' && isMeant(source.name)) output.warn(sourceStateLine(source, snapshot))
}
