import {
  listSnapshots,
  openSnapshot,
  type SnapshotInfo,
  type SnapshotReader,
  selectSnapshot,
} from '@pipe-backup/vault'
import type { Session } from '../session.ts'
import { errorLine } from '../terminal/error-line.ts'
import { openConfig, openReadingSinks } from './open-config.ts'
import { openVaultKeys } from './vault-keys.ts'

/** A snapshot opened for reading, and what is behind it. */
export interface Reading extends AsyncDisposable {
  readonly snapshot: SnapshotInfo
  readonly reader: SnapshotReader
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
  const onProblem = (error: Error): void => output.warn(errorLine(error))
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
  return { snapshot, reader, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
