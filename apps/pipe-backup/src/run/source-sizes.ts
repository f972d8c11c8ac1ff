import { join } from 'node:path'
import { readStateFile, type SourceReport } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'
import { errorLine } from '../terminal/error-line.ts'
import type { Output } from '../terminal/output.ts'
import { formatBytes } from '../terminal/quantities.ts'

const FILE = 'sizes.json'
/** What is left must be less than this part of what was, and that not a trifle. */
const SHRUNK = 0.1
const MIN_BYTES = 4096

/**
 * How large these sources were when they were read last: what a run that goes on is measured by.
 * @returns bytes; undefined when one of them is not known
 */
export async function lastSizeOf(
  stateDirectory: string,
  names: readonly string[],
): Promise<number | undefined> {
  const known = await readSizes(stateDirectory)
  let sum = 0
  for (const name of names) {
    const bytes = known.get(name)
    if (bytes === undefined) return undefined
    sum += bytes
  }
  return sum
}

/**
 * Warns of a source that has lost nearly all it had, such as a dump without rows, and remembers what there is now. Not to be able to is
 * reported, and no reason for the run to have failed.
 * @param watched - sources that do not look for that themselves, as those of files do
 */
export async function rememberSizes(
  stateDirectory: string,
  sources: readonly Pick<SourceReport, 'name' | 'state' | 'bytes'>[],
  watched: ReadonlySet<string>,
  output: Output,
): Promise<void> {
  const known = await readSizes(stateDirectory)
  for (const { name, state, bytes } of sources) {
    const before = known.get(name) ?? 0
    if (state === 'failed' || !watched.has(name) || before < MIN_BYTES || bytes > before * SHRUNK) continue
    output.warn(`source "${name}": only ${formatBytes(bytes)}, where ${formatBytes(before)} were before`)
  }
  for (const { name, state, bytes } of sources) if (state !== 'failed') known.set(name, bytes)
  await writeState(join(stateDirectory, FILE), Object.fromEntries(known)).catch((error: Error) =>
    output.warn(errorLine(error)),
  )
}

async function readSizes(stateDirectory: string): Promise<Map<string, number>> {
  const saved = await readStateFile(join(stateDirectory, FILE))
  const entries = typeof saved === 'object' && saved !== null ? Object.entries(saved) : []
  return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
}
