import type { CliContext } from '../cli-context.ts'
import { howFar } from './how-far.ts'
import { RecentRate } from './progress-lines.ts'
import { formatBytes, formatSeconds } from './quantities.ts'
import { showProgress } from './show-progress.ts'

/** How far something is that goes by bytes; kept up to date by who does it. */
export interface Gauge {
  bytes: number
  /** In the end, where that is known. */
  readonly totalBytes?: number | undefined
}

/** Draws a gauge in a line, on a terminal. @param before - what stands first @param more - what stands behind the rate */
export function showGauge(
  gauge: Gauge,
  { output, options }: CliContext,
  before: () => readonly string[],
  more: () => readonly string[] = () => [],
): Disposable | undefined {
  if (!process.stderr.isTTY || options.quiet || options.logJson) return undefined
  const rate = new RecentRate()
  const lines = (elapsedMs: number): readonly string[] => {
    const { bytes, totalBytes } = gauge
    const speed = rate.measure(bytes, elapsedMs)
    const words = [
      ...before(),
      ...howFar(bytes, totalBytes, speed, elapsedMs),
      formatBytes(bytes),
      `${formatBytes(speed)}/s`,
      ...more(),
      formatSeconds(elapsedMs / 1000),
    ]
    return [words.join('  ')]
  }
  return showProgress(lines, process.stderr, output)
}
