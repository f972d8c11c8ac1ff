import type { VerifyArchivesReport } from '@pipe-backup/archive'
import type { Observation } from '@pipe-backup/notify'
import type { BackupReport, HealReport, PruneReport, VerifyReport } from '@pipe-backup/vault'
import type { LoadedConfig } from '../config/load-config.ts'
import { toMilliseconds } from '../config/values.ts'
import { plural } from '../terminal/quantities.ts'
import type { NotifyLog } from './notify-log.ts'

const HOUR_MS = 3_600_000
const FALLBACK_INTERVAL_MS = 24 * HOUR_MS
/** Two runs may be missed before something is stale. */
const MISSED = 3

/** What a run says of itself, its sources and its sinks. */
export function ofRun(report: BackupReport): Observation[] {
  const { snapshot, copies, exitCode, sources, sinks } = report
  const run: Observation =
    exitCode === 1
      ? {
          subject: 'run',
          state: 'failure',
          message:
            snapshot === null ? 'no snapshot was made' : `the snapshot is on ${plural(copies, 'sink')} only`,
          hint: 'See what is said of the sinks and sources, then: pipe-backup run',
        }
      : { subject: 'run', state: 'ok', message: `snapshot ${snapshot} on ${plural(copies, 'sink')}` }
  return [
    run,
    ...sources.map(({ name, state, problems, error }): Observation => {
      const subject = `source ${name}`
      if (state === 'failed')
        return {
          subject,
          state: 'failure',
          message: error ?? 'failed',
          hint: 'pipe-backup run --verbose shows more.',
        }
      if (problems === 0) return { subject, state: 'ok', message: 'is backed up' }
      const message = `${plural(problems, 'entry', 'entries')} could not be taken, or changed while being read`
      return { subject, state: 'warning', message, hint: `pipe-backup run --source ${name} names them.` }
    }),
    ...sinks.map(({ name, state, error }): Observation => {
      const subject = `sink ${name}`
      if (state === 'ok' && error === undefined)
        return { subject, state: 'ok', message: 'holds the snapshot' }
      return {
        subject,
        state: 'failure',
        message: error ?? 'was too slow, and was left behind',
        hint: 'The next run heals it. pipe-backup doctor tries what it needs.',
      }
    }),
  ]
}

/** A run that failed before it had a report. */
export function ofFailedRun(reason: unknown): Observation[] {
  return [ofFailure('run', reason)]
}

/** Something that failed before it had a report. */
export function ofFailure(subject: string, reason: unknown): Observation {
  const message = reason instanceof Error ? reason.message : String(reason)
  const known = reason instanceof Error && 'hint' in reason ? reason.hint : undefined
  const hint = typeof known === 'string' ? known : 'pipe-backup doctor tries what it needs.'
  return { subject, state: 'failure', message, hint }
}

export function ofVerify({ sinks, lost }: VerifyReport): Observation[] {
  return [
    ...sinks.map(({ name, state, problems, error }): Observation => {
      const subject = `verify ${name}`
      if (state === 'ok') return { subject, state: 'ok', message: 'is whole' }
      if (state === 'failed') return { subject, state: 'failure', message: error ?? 'could not be verified' }
      const first = problems[0]?.key ?? ''
      const message = `${plural(problems.length, 'object')} missing or damaged, such as ${first}`
      return { subject, state: 'failure', message, hint: 'Repair it with: pipe-backup heal' }
    }),
    lost.length === 0
      ? { subject: 'vault', state: 'ok', message: 'is whole' }
      : {
          subject: 'vault',
          state: 'failure',
          message: `${plural(lost.length, 'object')} intact on no sink: some snapshots can't be restored in full`,
          hint: 'Bring back any sink that is away, then: pipe-backup heal',
        },
  ]
}

export function ofVerifiedArchives({ sinks, lost }: VerifyArchivesReport): Observation {
  const bad = sinks.flatMap(({ problems }) => problems)
  const hint = 'Repair it with: pipe-backup heal'
  if (lost.length > 0)
    return { subject: 'archives', state: 'failure', message: `${lost.join(', ')} intact on no sink`, hint }
  const [first] = bad
  if (!first) return { subject: 'archives', state: 'ok', message: 'are whole' }
  const message = `${plural(bad.length, 'object')} missing or damaged, such as ${first.message}`
  return { subject: 'archives', state: 'failure', message, hint }
}

export function ofHeal({ sinks }: HealReport): Observation[] {
  const found = sinks.map(({ name, state, error }): Observation => {
    const subject = `heal ${name}`
    if (state !== 'failed') return { subject, state: 'ok', message: 'holds everything' }
    return { subject, state: 'failure', message: error ?? 'could not be healed' }
  })
  return [{ subject: 'heal', state: 'ok', message: 'done' }, ...found]
}

/** After a healing a sink that was damaged is so no more. */
export function ofHealed(report: HealReport): Observation[] {
  const level = report.sinks.filter(({ state }) => state === 'level')
  return level.map(({ name }) => ({ subject: `verify ${name}`, state: 'ok', message: 'is whole' }))
}

export function ofPrune({ sinks, exitCode }: PruneReport): Observation[] {
  const failed = sinks.find(({ state }) => state === 'failed')
  if (exitCode === 0 || !failed) return [{ subject: 'prune', state: 'ok', message: 'done' }]
  const message = `sink ${failed.name} could not be pruned: ${failed.error ?? ''}`
  return [{ subject: 'prune', state: 'warning', message, hint: 'pipe-backup prune tries again.' }]
}

/**
 * Sources and sinks whose last good copy is older than it should be. Known from this host's own runs, so that every command can report them.
 * @param log - when they were good last, and, for those that never were, since when they should be
 */
export async function ofStaleness(
  config: LoadedConfig,
  { lastGood, watchedSince }: Pick<NotifyLog, 'lastGood' | 'watchedSince'>,
  now: Date,
): Promise<Observation[]> {
  const intervalMs = await intervalOf(config, now)
  const observe = (subject: string, maxMs: number): Observation[] => {
    const good = lastGood[subject]
    const last = good ?? watchedSince[subject]
    if (last === undefined) return []
    const ageMs = now.getTime() - Date.parse(last)
    if (ageMs <= maxMs) return [{ subject: `age of ${subject}`, state: 'ok', message: 'is fresh' }]
    const age = plural(Math.floor(ageMs / HOUR_MS), 'hour')
    const message =
      good === undefined ? `has had no good copy yet, for ${age}` : `its last good copy is ${age} old`
    return [
      {
        subject: `age of ${subject}`,
        state: 'failure',
        message,
        hint: 'pipe-backup status, and: pipe-backup run',
      },
    ]
  }
  return [
    ...config.sources.flatMap(({ name, every }) =>
      observe(
        `source ${name}`,
        MISSED * Math.max(intervalMs, every === undefined ? 0 : toMilliseconds(every)),
      ),
    ),
    ...config.sinks.flatMap(({ name }) => observe(`sink ${name}`, MISSED * intervalMs)),
  ]
}

/** What is older than it should be: `source wallet`, `sink aws`. */
export async function findStale(
  config: LoadedConfig,
  log: Pick<NotifyLog, 'lastGood' | 'watchedSince'>,
  now: Date,
): Promise<{ readonly subject: string; readonly message: string }[]> {
  const observed = await ofStaleness(config, log, now)
  return observed
    .filter(({ state }) => state === 'failure')
    .map(({ subject, message }) => ({ subject: subject.replace(/^age of /, ''), message }))
}

async function intervalOf({ schedule }: LoadedConfig, now: Date): Promise<number> {
  if (schedule === undefined) return FALLBACK_INTERVAL_MS
  const { longestIntervalMs } = await import('../schedule/next-runs.ts')
  return longestIntervalMs(schedule, now)
}
