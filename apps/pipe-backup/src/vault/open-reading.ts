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

/** A snapshot opened for reading, and what is behind it. */
export interface Reading extends AsyncDisposable {
  readonly config: LoadedConfig
  readonly snapshot: SnapshotInfo
  readonly reader: SnapshotReader
  /** Puts back, from sinks that have them whole, the objects that were found missing or damaged. @returns what became of it */
  repair(): Promise<HealReport | undefined>
}

/**
 * Opens a snapshot with the recovery phrase: needs no host key, no state, and no more than a configuration with sinks.
 * @param spec - an id, a prefix of it, `latest`, `latest~2`, or a time
 */
export async function openReading(
  session: Session,
  spec: string,
  phraseFile: string | undefined,
): Promise<Reading> {
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
  const snapshot = selectSnapshot(await listSnapshots({ sinks, keys, signal, onProblem }), spec)
  const reader = await openSnapshot({ sinks, keys, snapshot, signal, onProblem })
  output.note(`snapshot ${snapshot.id} of ${snapshot.host}, ${snapshot.time.toISOString()}`)
  for (const { name, state, error } of snapshot.sources) {
    if (state === 'ok') continue
    const why = error === undefined ? '' : `: ${error}`
    output.warn(
      `snapshot ${snapshot.id}: source "${name}" ${state === 'failed' ? 'failed' : 'is incomplete'}${why}`,
    )
  }
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
  return { config, snapshot, reader, repair, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
