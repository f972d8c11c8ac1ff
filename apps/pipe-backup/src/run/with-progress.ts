import type { CliContext } from '../cli-context.ts'
import { progressLines, RecentRate, type RunProgress } from '../terminal/progress-lines.ts'
import { showProgress } from '../terminal/show-progress.ts'

/** How often --json --verbose says how a run stands. */
const PROGRESS_JSON_MS = 1000

/** Does some work, and shows on a terminal, or as JSON lines, how it stands. */
export async function withProgress<T>(
  { output, options }: CliContext,
  progress: RunProgress,
  work: () => Promise<T>,
): Promise<T> {
  if (options.json && options.verbose) {
    const timer = setInterval(() => output.printJson({ progress }), PROGRESS_JSON_MS)
    try {
      return await work()
    } finally {
      clearInterval(timer)
    }
  }
  if (!process.stderr.isTTY || options.quiet) return await work()
  const rate = new RecentRate()
  const lines = (elapsedMs: number): readonly string[] =>
    progressLines(progress, rate.measure(progress.bytesRead, elapsedMs), elapsedMs)
  using _display = showProgress(lines, process.stderr, output)
  return await work()
}
