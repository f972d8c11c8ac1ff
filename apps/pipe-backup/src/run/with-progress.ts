import type { CliContext } from '../cli-context.ts'
import { progressLines, RecentRate, type RunProgress } from '../terminal/progress-lines.ts'
import { showProgress } from '../terminal/show-progress.ts'

/** How often --json --verbose says how something stands. */
const PROGRESS_JSON_MS = 1000

/** Does some work, and shows on a terminal, or as JSON lines, how it stands. @param expectedBytes - the size of what is to be read */
export async function withProgress<T>(
  cli: CliContext,
  progress: RunProgress,
  work: () => Promise<T>,
  expectedBytes?: number,
): Promise<T> {
  const { output, options } = cli
  using _lines = sayProgress(cli, progress)
  if (!process.stderr.isTTY || options.quiet || options.logJson || (options.json && options.verbose))
    return await work()
  const [read, passed, sent] = [new RecentRate(), new RecentRate(), new RecentRate()]
  const lines = (elapsedMs: number): readonly string[] => {
    const { bytesRead, bytesUnchanged = 0, sinks } = progress
    const rates = {
      read: read.measure(bytesRead, elapsedMs),
      passed: passed.measure(bytesRead + bytesUnchanged, elapsedMs),
      sent: sent.measure(mostWaiting(sinks)?.bytesSent ?? 0, elapsedMs),
    }
    return progressLines(progress, rates, elapsedMs, expectedBytes)
  }
  using _display = showProgress(lines, process.stderr, output)
  return await work()
}

/** The sink that is waited for. */
function mostWaiting(sinks: RunProgress['sinks']): RunProgress['sinks'][number] | undefined {
  return sinks.toSorted((one, other) => other.queuedBytes - one.queuedBytes)[0]
}

/** With --json --verbose says every second, until disposed of, how something stands. @param progress - changed by who does the work */
export function sayProgress({ output, options }: CliContext, progress: object): Disposable | undefined {
  if (!options.json || !options.verbose) return undefined
  const timer = setInterval(() => output.printJson({ progress }), PROGRESS_JSON_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
