import { join } from 'node:path'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'
import { errorLine } from '../terminal/error-line.ts'
import type { Output } from '../terminal/output.ts'

const FILE = 'sinks.json'

/**
 * The sinks that have held this vault before, by name: one of them that is suddenly empty is rather a disk that is not mounted than a new sink.
 * @returns undefined when nothing is known: the state is new, or was lost
 */
export async function readKnownSinks(stateDirectory: string): Promise<ReadonlySet<string> | undefined> {
  const names = await readStateFile(join(stateDirectory, FILE))
  return Array.isArray(names) ? new Set(names.filter((name: unknown) => typeof name === 'string')) : undefined
}

/** Adds sinks that hold the vault now. Not to be able to is reported, and no reason for what was done to have failed. */
export async function rememberSinks(
  stateDirectory: string,
  names: Iterable<string>,
  output: Output,
): Promise<void> {
  const known = await readKnownSinks(stateDirectory)
  const all = new Set([...(known ?? []), ...names])
  if (known && all.size === known.size) return
  await writeState(join(stateDirectory, FILE), [...all].sort()).catch((error: Error) =>
    output.warn(errorLine(error)),
  )
}
