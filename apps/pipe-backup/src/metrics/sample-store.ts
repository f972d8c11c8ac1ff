import { join } from 'node:path'
import { readStateFile } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'
import { CATALOGUE, isMetricName } from './catalogue.ts'
import type { Sample } from './sample.ts'

/** Who writes samples: each has a file of its own, for commands may run at once. */
export const WRITERS = ['run', 'send', 'prune', 'forget', 'verify', 'heal', 'scheduled', 'status'] as const
export type SampleWriter = (typeof WRITERS)[number]

function fileOf(stateDirectory: string, writer: SampleWriter): string {
  return join(stateDirectory, `metrics-${writer}.json`)
}

/** What was saved last; a file that is gone or damaged has none. */
export async function readSamples(stateDirectory: string, writer: SampleWriter): Promise<readonly Sample[]> {
  const saved = await readStateFile(fileOf(stateDirectory, writer))
  return Array.isArray(saved) ? saved.flatMap(parseSample) : []
}

/**
 * Saves samples in the place of all earlier ones of the same metrics; those of other metrics stay.
 * @throws CommandError `no-state`
 */
export async function saveSamples(
  stateDirectory: string,
  writer: SampleWriter,
  samples: readonly Sample[],
): Promise<void> {
  const replaced = new Set(samples.map(({ metric }) => metric))
  const before = await readSamples(stateDirectory, writer)
  const kept = before.filter(({ metric }) => !replaced.has(metric))
  await writeState(fileOf(stateDirectory, writer), [...kept, ...samples])
}

/** One of a metric that is no more, or has other labels now, is left out. */
function parseSample(saved: unknown): Sample[] {
  const { metric, labels, value } = Object.fromEntries(entriesOf(saved))
  if (typeof metric !== 'string' || !isMetricName(metric) || typeof value !== 'number') return []
  const texts: Record<string, string> = {}
  for (const [name, text] of entriesOf(labels)) {
    if (typeof text !== 'string') return []
    texts[name] = text
  }
  const wanted = CATALOGUE[metric].labels
  const fits =
    Object.keys(texts).length === wanted.length && wanted.every((name) => Object.hasOwn(texts, name))
  return fits ? [{ metric, labels: texts, value }] : []
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries<unknown>({ ...value }) : []
}
