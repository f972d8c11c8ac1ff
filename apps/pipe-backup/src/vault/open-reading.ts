import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import {
  createVaultHost,
  type HealReport,
  heal,
  listSnapshots,
  openSnapshot,
  type SnapshotInfo,
  type SnapshotReader,
  selectSnapshot,
  VaultError,
} from '@pipe-backup/vault'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Session } from '../session.ts'
import { errorLine, sinkLine } from '../terminal/error-line.ts'
import { openConfig, openReadingSinks } from './open-config.ts'
import { openVaultKeys } from './vault-keys.ts'

/** The vault opened for reading, with all its snapshots. */
export interface OpenedSnapshots extends AsyncDisposable {
  readonly config: LoadedConfig
  readonly sinks: readonly Sink[]
  readonly keys: VaultKeys
  /** Oldest first. */
  readonly snapshots: readonly SnapshotInfo[]
  /** To be told of each object that was missing or damaged. */
  readonly onProblem: (error: Error) => void
  /** Puts back, from sinks that have them whole, the objects that were found missing or damaged. @returns what became of it */
  readonly repair: () => Promise<HealReport | undefined>
}

/** A snapshot opened for reading, and what is behind it. */
export interface Reading extends AsyncDisposable {
  readonly config: LoadedConfig
  readonly snapshot: SnapshotInfo
  readonly reader: SnapshotReader
  /** As for all the snapshots. */
  readonly repair: () => Promise<HealReport | undefined>
}

/** Opens the vault with the recovery phrase: needs no host key, no state, and no more than a configuration with sinks. */
export async function openSnapshots(
  session: Session,
  phraseFile: string | undefined,
): Promise<OpenedSnapshots> {
  const { signal, output } = session
  const damaged: { sink: string; key: string }[] = []
  const onProblem = (error: Error): void => {
    output.warn(errorLine(error))
    if (error instanceof VaultError && error.sink !== undefined && error.key !== undefined)
      damaged.push({ sink: error.sink, key: error.key })
  }
  await using stack = new AsyncDisposableStack()
  const config = await openConfig(session)
  const { sinks } = stack.use(await openReadingSinks(config, session))
  const keys = await openVaultKeys(sinks, session, phraseFile)
  const snapshots = await listSnapshots({ sinks, keys, signal, onProblem })
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
      onProblem: (sink, error) => output.warn(sinkLine(sink, errorLine(error))),
    })
  }
  const close = (): Promise<void> => opened.disposeAsync()
  return { config, sinks, keys, snapshots, onProblem, repair, [Symbol.asyncDispose]: close }
}

/**
 * Opens one snapshot.
 * @param spec - an id, a prefix of it, `latest`, `latest~2`, or a time
 */
export async function openReading(
  session: Session,
  spec: string,
  phraseFile: string | undefined,
): Promise<Reading> {
  await using stack = new AsyncDisposableStack()
  const vault = stack.use(await openSnapshots(session, phraseFile))
  const { config, sinks, keys, onProblem, repair } = vault
  const snapshot = selectSnapshot(vault.snapshots, spec)
  const reader = await openSnapshot({ sinks, keys, snapshot, signal: session.signal, onProblem })
  tellSnapshot(session, snapshot)
  const opened = stack.move()
  return { config, snapshot, reader, repair, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Says which snapshot is read, and warns of what it lacks. */
export function tellSnapshot({ output }: Session, snapshot: SnapshotInfo): void {
  output.note(`snapshot ${snapshot.id} of ${snapshot.host}, ${snapshot.time.toISOString()}`)
  for (const { name, state, error } of snapshot.sources) {
    if (state === 'ok') continue
    const why = error === undefined ? '' : `: ${error}`
    output.warn(
      `snapshot ${snapshot.id}: source "${name}" ${state === 'failed' ? 'failed' : 'is incomplete'}${why}`,
    )
  }
}
