import { join } from 'node:path'
import { readStateFile, type SinkStatus } from '@pipe-backup/vault'
import { writeState } from '../state/write-state.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Within so long one sample of each hour is kept, before that one of each day. */
const HOURLY_FOR_MS = 2 * DAY_MS
const KEPT_FOR_MS = 400 * DAY_MS

/** How a sink stood when it was looked at. */
interface SinkSample {
  readonly bytes: number
  /** How much older its newest snapshot was than the newest of all sinks; `undefined` without one. */
  readonly lagMs?: number | undefined
}

/** How the sinks that answered stood at a time. */
export interface HistorySample {
  /** ISO 8601. */
  readonly time: string
  /** By name. */
  readonly sinks: Readonly<Record<string, SinkSample>>
}

/** A sink's size and lag over time, oldest first. */
export interface SinkHistory {
  readonly name: string
  readonly sizes: readonly { readonly time: Date; readonly bytes: number }[]
  readonly lags: readonly { readonly time: Date; readonly lagMs: number }[]
}

function fileOf(stateDirectory: string): string {
  return join(stateDirectory, 'sink-history.json')
}

/** What was recorded, oldest first; a file that is gone or damaged has nothing. */
export async function readSinkHistory(stateDirectory: string): Promise<readonly HistorySample[]> {
  const saved = await readStateFile(fileOf(stateDirectory)).catch(() => undefined)
  return Array.isArray(saved) ? saved.flatMap(parseSample) : []
}

/** Adds a sample to those there are, and lets go of what is not kept. @throws CommandError `no-state` */
export async function recordSinkHistory(
  stateDirectory: string,
  recorded: readonly HistorySample[],
  sample: HistorySample,
): Promise<void> {
  await writeState(fileOf(stateDirectory), thinHistory([...recorded, sample], new Date(sample.time)))
}

/** How the sinks stand now, as a sample. */
export function sampleOf(sinks: readonly SinkStatus[], newest: Date | undefined, now: Date): HistorySample {
  const answering = sinks.filter(({ state }) => state !== 'failed')
  const samples = answering.map(({ name, bytes, latest }): [string, SinkSample] => [
    name,
    {
      bytes,
      ...(latest && newest && { lagMs: Math.max(0, newest.getTime() - latest.getTime()) }),
    },
  ])
  return { time: now.toISOString(), sinks: Object.fromEntries(samples) }
}

/** The last sample of each hour of the last two days, and of each day (UTC) of 400 days; those of a clock that was wrong go. */
export function thinHistory(samples: readonly HistorySample[], now: Date): HistorySample[] {
  const last = new Map<string, HistorySample>()
  for (const sample of samples) {
    const ageMs = now.getTime() - Date.parse(sample.time)
    if (ageMs < 0 || ageMs > KEPT_FOR_MS) continue
    last.set(
      sample.time.slice(0, ageMs <= HOURLY_FOR_MS ? 'YYYY-MM-DDTHH'.length : 'YYYY-MM-DD'.length),
      sample,
    )
  }
  return [...last.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time))
}

/** The history of each sink: what was recorded, and before that when what it holds now was stored. */
export function historyOf(sinks: readonly SinkStatus[], recorded: readonly HistorySample[]): SinkHistory[] {
  return sinks.map(({ name, growth }) => {
    const own = recorded.flatMap(({ time, sinks: samples }) => {
      const sample = Object.hasOwn(samples, name) ? samples[name] : undefined
      return sample ? [{ time: new Date(time), ...sample }] : []
    })
    const [first] = own
    return {
      name,
      sizes: [
        ...growth.filter(({ time }) => !first || time < first.time),
        ...own.map(({ time, bytes }) => ({ time, bytes })),
      ],
      lags: own.flatMap(({ time, lagMs }) => (lagMs === undefined ? [] : [{ time, lagMs }])),
    }
  })
}

function parseSample(saved: unknown): HistorySample[] {
  const { time, sinks } = Object.fromEntries(entriesOf(saved))
  if (typeof time !== 'string' || Number.isNaN(Date.parse(time))) return []
  const samples = entriesOf(sinks).flatMap(([name, sample]): [string, SinkSample][] => {
    const { bytes, lagMs } = Object.fromEntries(entriesOf(sample))
    if (typeof bytes !== 'number') return []
    return [[name, { bytes, ...(typeof lagMs === 'number' && { lagMs }) }]]
  })
  return [{ time, sinks: Object.fromEntries(samples) }]
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries<unknown>({ ...value }) : []
}
