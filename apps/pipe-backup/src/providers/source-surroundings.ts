import { join } from 'node:path'
import type { FilesMemory, FilesNote, LeftOutDirectory } from '@pipe-backup/source-files'
import { readStateFile } from '@pipe-backup/vault'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType } from '../config/schema.ts'
import { writeState } from '../state/write-state.ts'
import { errorLine } from '../terminal/error-line.ts'
import type { Output } from '../terminal/output.ts'

const DIRECTORY = 'seen'

/** What surrounds a source of files in a run: what must not be in it, and what it keeps from run to run. */
export interface SourceSurroundings {
  readonly leaveOut: readonly LeftOutDirectory[]
  readonly memoryOf: (source: string) => FilesMemory
  readonly onNote: (source: string, note: FilesNote) => void
}

/** The program's own directories of this machine: what they hold is made of the sources, and in them it would grow with each run. */
export function ownDirectories(config: LoadedConfig): readonly LeftOutDirectory[] {
  const sinks = config.sinks.flatMap((sink) => {
    const path = findSinkType(sink.type).directory(sink)
    if (path === undefined) return []
    return [{ path: config.path(path), what: `the directory of sink "${sink.name}"` }]
  })
  return [...sinks, { path: config.state, what: "this program's state directory" }]
}

/** @returns what a source has seen last, of this vault; `undefined` when nothing is known */
async function readSeen(stateDirectory: string, vaultId: string, source: string): Promise<unknown> {
  const saved = await readStateFile(fileOf(stateDirectory, source))
  if (typeof saved !== 'object' || saved === null || !('vault' in saved) || !('seen' in saved))
    return undefined
  return saved.vault === vaultId ? saved.seen : undefined
}

/** What a source has seen, in the state directory. Not to be able to keep it is reported, and no reason for a run to fail. */
export function sourceMemory(
  stateDirectory: string,
  vaultId: string,
  source: string,
  output: Output,
): FilesMemory {
  return {
    read: () => readSeen(stateDirectory, vaultId, source),
    write: (seen) =>
      writeState(fileOf(stateDirectory, source), { vault: vaultId, seen }).catch((error: Error) =>
        output.warn(errorLine(error)),
      ),
  }
}

function fileOf(stateDirectory: string, source: string): string {
  return join(stateDirectory, DIRECTORY, `${source}.json`)
}
