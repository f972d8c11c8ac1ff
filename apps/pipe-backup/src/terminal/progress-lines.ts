import type { BackupProgress } from '@pipe-backup/vault'
import { howFar, timeLeft } from './how-far.ts'
import { formatBytes, formatSeconds, plural } from './quantities.ts'

/** How a run, or the sending of an archive, stands. */
export type RunProgress = Omit<BackupProgress, 'bytesNew' | 'bytesUnchanged'> &
  Partial<Pick<BackupProgress, 'bytesNew' | 'bytesUnchanged'>>

/** Of late, in bytes a second. */
export interface Rates {
  readonly read: number
  /** What was read, and what did not have to be. */
  readonly passed: number
  readonly sent: number
}

/**
 * A run in progress, in a line and one more for each sink.
 * @param elapsedMs - since the run began
 * @param expectedBytes - the size of all that is to be read, as far as it is known
 */
export function progressLines(
  progress: RunProgress,
  rates: Rates,
  elapsedMs: number,
  expectedBytes?: number,
): readonly string[] {
  const { phase, source, entries, bytesRead, bytesUnchanged = 0, bytesNew, sinks } = progress
  const width = Math.max(0, ...sinks.map(({ name }) => name.length))
  const waiting = Math.max(0, ...sinks.map(({ queuedBytes }) => queuedBytes))
  const first = [
    phase === 'reading' && source !== '' ? `reading ${source}` : phase,
    ...(phase === 'reading'
      ? howFar(bytesRead + bytesUnchanged, expectedBytes, rates.passed, elapsedMs)
      : []),
    ...(phase === 'sending' ? timeLeft(waiting, rates.sent, elapsedMs) : []),
    `${formatBytes(bytesRead)} read`,
    `${formatBytes(phase === 'sending' ? rates.sent : rates.read)}/s`,
    plural(entries, 'entry', 'entries'),
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
