import type { SinkStatus, SnapshotInfo, VaultStatus } from '@pipe-backup/vault'
import type { LoadedConfig } from '../config/load-config.ts'
import type { FoundScheduler } from '../schedule/find-scheduler.ts'
import type { ScheduledTask } from '../schedule/schedule-log.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import { formatBytes, formatCount, formatSeconds, formatTime, plural } from '../terminal/quantities.ts'
import type { Drill } from '../vault/drill-log.ts'
import type { SourceStatus } from './assess.ts'
import type { SinkHistory } from './sink-history.ts'

/** Something that was found to be bad, and is so still. */
export interface Worry {
  readonly subject: string
  readonly message: string
  /** ISO 8601. */
  readonly since?: string | undefined
}

/** All that `status` shows. */
export interface StatusReport {
  readonly config: LoadedConfig
  readonly vaultId: string
  readonly now: Date
  readonly vault: VaultStatus
  /** Of each sink. */
  readonly history: readonly SinkHistory[]
  readonly lastGood: SnapshotInfo | undefined
  readonly sources: readonly SourceStatus[]
  readonly scheduler: FoundScheduler | undefined
  readonly nextRun: Date | undefined
  /** When the tasks of the schedule were begun last. */
  readonly begun: Readonly<Record<ScheduledTask, Date | undefined>>
  readonly drill: Drill | undefined
  readonly worries: readonly Worry[]
  readonly exitCode: number
}

const SCHEDULERS: Readonly<Record<FoundScheduler, string>> = {
  systemd: 'by a systemd timer',
  cron: 'by the crontab',
  daemon: 'by the daemon',
}

/** For people. */
export function statusLines(report: StatusReport): string[] {
  const { config, vaultId, vault, lastGood, drill, worries, begun, now } = report
  const [oldest] = vault.snapshots
  const lines = [
    `vault ${config.vault} (${vaultId}), host ${config.host}`,
    lastGood
      ? `last good snapshot: ${lastGood.id}, ${ago(lastGood.time, now)}, on ${lastGood.sinks.join(', ')}`
      : 'last good snapshot: none yet that has every source, complete',
    ...(oldest ? [`${plural(vault.snapshots.length, 'snapshot')} since ${formatTime(oldest.time)}`] : []),
    nextLine(report),
    ...vault.sessions.map(
      ({ kind, host, started, isStale }) =>
        `${kind} of ${escapeText(host)}, since ${formatTime(new Date(started))}: ${isStale ? 'was killed' : 'goes on, or was killed'}`,
    ),
    '',
    ...table(['source', 'state', 'last good', 'entries', 'size'], report.sources.map(sourceRow(now))),
    '',
    ...table(
      ['sink', 'state', 'snapshots', 'newest', 'size', 'in a day', 'in 7 days', 'in 30 days'],
      vault.sinks.map(sinkRow(now)),
    ),
  ]
  for (const sink of vault.sinks) lines.push(...sinkRemarks(sink))
  lines.push(
    '',
    `last prune: ${begun.prune ? ago(begun.prune, now) : 'none by the schedule'}; last verify: ${begun.verify ? ago(begun.verify, now) : 'none by the schedule'}; ` +
      `last drill: ${drill ? `${ago(drill.time, now)}, snapshot ${drill.snapshot}` : 'none: pipe-backup verify --drill'}`,
  )
  for (const worry of worries) lines.push(`needs a look: ${worryLine(worry)}`)
  if (report.exitCode === 0) lines.push('all is well')
  return lines
}

export function worryLine({ subject, message, since }: Worry): string {
  return `${subject}: ${message}${since === undefined ? '' : `, since ${formatTime(new Date(since))}`}`
}

/** When the next run is, and what starts it. */
export function nextLine({ config, nextRun, scheduler }: StatusReport): string {
  if (!nextRun) return `next run: none: ${config.file} has no schedule`
  return scheduler
    ? `next run: ${formatTime(nextRun)}, ${SCHEDULERS[scheduler]}`
    : `next run: would be ${formatTime(nextRun)}, but no timer, crontab line or daemon of this user does it: pipe-backup schedule install`
}

function sourceRow(now: Date): (source: SourceStatus) => string[] {
  return ({ name, state, lastGood, entries, bytes }) => [
    name,
    state === 'none' ? 'not backed up yet' : state,
    lastGood ? ago(lastGood, now) : '-',
    state === 'none' ? '-' : formatCount(entries),
    state === 'none' ? '-' : formatBytes(bytes),
  ]
}

function sinkRow(now: Date): (sink: SinkStatus) => string[] {
  return ({ name, state, snapshots, latest, bytes, bytesNew }) => {
    if (state === 'failed') return [name, state, '-', '-', '-', '-', '-', '-']
    const grown = [bytesNew.day, bytesNew.week, bytesNew.month].map((size) => `+${formatBytes(size)}`)
    return [
      name,
      state,
      formatCount(snapshots),
      latest ? ago(latest, now) : '-',
      formatBytes(bytes),
      ...grown,
    ]
  }
}

/** What is to be known of a sink besides its numbers, and what to do about it. */
export function sinkRemarks({
  name,
  state,
  behind,
  damaged,
  bytesCondemned,
  error,
  hint,
}: SinkStatus): string[] {
  const remarks: string[] = []
  if (state === 'failed') remarks.push(errorLine({ message: error ?? 'failed', hint }))
  if (damaged > 0) remarks.push(`${plural(damaged, 'object')} missing or damaged: pipe-backup heal`)
  if (behind > 0) remarks.push(`lacks ${plural(behind, 'snapshot')} that others have: pipe-backup heal`)
  if (bytesCondemned > 0)
    remarks.push(`${formatBytes(bytesCondemned)} are needed no more, and go when their grace time has passed`)
  return remarks.map((remark) => (remark.includes(`"${name}"`) ? remark : `${name}: ${remark}`))
}

/** `2026-11-23 10:00:12 (25 min 3 s ago)` */
function ago(time: Date, now: Date): string {
  const seconds = (now.getTime() - time.getTime()) / 1000
  if (seconds < 0) return `${formatTime(time)} (in the future)`
  const days = Math.floor(seconds / 86_400)
  return `${formatTime(time)} (${days >= 2 ? plural(days, 'day') : formatSeconds(seconds)} ago)`
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)))
  return [heads, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** For programs: one document. */
export function statusToJson(report: StatusReport): Readonly<Record<string, unknown>> {
  const { config, vaultId, vault, history, lastGood, sources, scheduler, nextRun, begun, drill, worries } =
    report
  return {
    vault: config.vault,
    vaultId,
    host: config.host,
    copies: config.copies,
    lastGood: lastGood ? { id: lastGood.id, time: lastGood.time, sinks: lastGood.sinks } : null,
    snapshots: vault.snapshots.length,
    oldest: vault.snapshots[0]?.time ?? null,
    newest: vault.snapshots.at(-1)?.time ?? null,
    schedule: config.schedule ?? null,
    scheduler: scheduler ?? null,
    nextRun: nextRun ?? null,
    lastRun: begun.run ?? null,
    lastPrune: begun.prune ?? null,
    lastVerify: begun.verify ?? null,
    lastDrill: drill ?? null,
    sources,
    // What they say of their growth is in the history.
    sinks: vault.sinks.map((sink) => ({ ...sink, growth: undefined })),
    history,
    sessions: vault.sessions,
    worries,
    exitCode: report.exitCode,
  }
}
