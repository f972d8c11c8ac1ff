import type { BackupProgress } from '@pipe-backup/vault'
import { formatBytes, formatCount, formatSeconds } from './quantities.ts'

/** How a run, or the sending of an archive, stands. */
export type RunProgress = Omit<BackupProgress, 'bytesNew'> & Partial<Pick<BackupProgress, 'bytesNew'>>

/**
 * A run in progress, in a line and one more for each sink.
 * @param elapsedMs - since the run began
 */
export function progressLines(
  progress: RunProgress,
  rateBytes: number,
  elapsedMs: number,
): readonly string[] {
  const { phase, source, entries, bytesRead, bytesNew, sinks } = progress
  const width = Math.max(0, ...sinks.map(({ name }) => name.length))
  const first = [
    phase === 'reading' && source !== '' ? `reading ${source}` : phase,
    `${formatCount(entries)} entries`,
    `${formatBytes(bytesRead)} read`,
    `${formatBytes(rateBytes)}/s`,
    ...(bytesNew === undefined ? [] : [`${formatBytes(bytesNew)} new`]),
    formatSeconds(elapsedMs / 1000),
  ].join('  ')
  const rest = sinks.map(({ name, state, bytesSent, queuedBytes }) => {
    const waiting = queuedBytes === 0 ? '' : `, ${formatBytes(queuedBytes)} waiting`
    return `  ${name.padEnd(width)}  ${state.padEnd(8)}  ${formatBytes(bytesSent)} sent${waiting}`
  })
  return [first, ...rest]
}

/** How many bytes a second passed of late: over the last `samples` measurements, not since the start. */
export class RecentRate {
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = []
  readonly #limit: number

  constructor(limit = 15) {
    this.#limit = limit
  }

  /** @returns bytes a second */
  measure(bytes: number, atMs: number): number {
    this.#samples.push({ atMs, bytes })
    if (this.#samples.length > this.#limit) this.#samples.shift()
    const oldest = this.#samples[0]
    if (oldest === undefined || atMs <= oldest.atMs) return 0
    return ((bytes - oldest.bytes) / (atMs - oldest.atMs)) * 1000
  }
}
