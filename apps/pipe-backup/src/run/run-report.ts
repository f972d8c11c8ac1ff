import type { BackupReport } from '@pipe-backup/vault'
import { formatBytes, formatSeconds, plural } from '../terminal/quantities.ts'

/** What a run did, in a few lines. */
export function reportLines(report: BackupReport): readonly string[] {
  const { snapshot, copies, sources, sinks, bytesStored, seconds } = report
  const width = Math.max(0, ...[...sources, ...sinks].map(({ name }) => name.length))
  const head =
    snapshot === null
      ? `no snapshot, ${formatSeconds(seconds)}`
      : `snapshot ${snapshot} on ${copies} of ${plural(sinks.length, 'sink')}, ${formatBytes(bytesStored)} stored on each, ${formatSeconds(seconds)}`
  return [
    head,
    ...sources.map(({ name, state, entries, bytesRead, bytesNew, problems }) => {
      const look = problems === 0 ? '' : `  ${plural(problems, 'problem')}`
      return `  ${name.padEnd(width)}  ${state.padEnd(10)}  ${plural(entries, 'entry', 'entries')}  ${formatBytes(bytesRead)} read  ${formatBytes(bytesNew)} new${look}`
    }),
    ...sinks.map(({ name, state, bytesSent, healed }) => {
      const repaired = healed === 0 ? '' : `  ${plural(healed, 'object')} healed`
      return `  ${name.padEnd(width)}  ${state.padEnd(10)}  ${formatBytes(bytesSent)} sent${repaired}`
    }),
  ]
}

/** The object that `run --json` ends with. Scripts rely on its keys. */
export function reportToJson(report: BackupReport): Readonly<Record<string, unknown>> {
  const { snapshot, copies, exitCode, sources, sinks, bytesStored, seconds } = report
  return {
    snapshot,
    copies,
    exitCode,
    sources: sources.map(({ name, state, entries, bytes, bytesRead, bytesNew, problems, error }) => ({
      name,
      state,
      entries,
      bytes,
      bytesRead,
      bytesNew,
      problems,
      error,
    })),
    sinks: sinks.map(({ name, state, bytesSent, healed, error }) => ({
      name,
      state,
      bytesSent,
      healed,
      error,
    })),
    bytesStored,
    seconds,
  }
}
