import { join } from 'node:path'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'

/** The last time that a snapshot was read back, every byte of it. */
export interface Drill {
  readonly time: Date
  readonly snapshot: string
  readonly entries: number
  readonly bytes: number
}

function fileOf(stateDirectory: string): string {
  return join(stateDirectory, 'drill.json')
}

/** @returns undefined when there was none, as far as this host remembers */
export async function readLastDrill(stateDirectory: string): Promise<Drill | undefined> {
  try {
    const parsed = await readStateFile(fileOf(stateDirectory))
    const saved = new Map(Object.entries<unknown>(typeof parsed === 'object' ? { ...parsed } : {}))
    const time = new Date(String(saved.get('time')))
    const [entries, bytes] = [Number(saved.get('entries')), Number(saved.get('bytes'))]
    return Number.isNaN(time.getTime())
      ? undefined
      : { time, snapshot: String(saved.get('snapshot')), entries, bytes }
  } catch {
    return undefined
  }
}

/** Remembers a drill. Not to be able to is no reason for a restore to fail. */
export async function recordDrill(stateDirectory: string, drill: Drill): Promise<void> {
  // The next one will be remembered.
  await writeState(fileOf(stateDirectory), drill).catch(() => undefined)
}
