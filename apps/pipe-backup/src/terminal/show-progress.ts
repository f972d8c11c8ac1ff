import type { WriteStream } from 'node:tty'
import type { BackupProgress } from '@pipe-backup/vault'
import type { Output } from './output.ts'
import { progressLines, RecentRate } from './progress-lines.ts'

const REDRAW_MS = 200

/**
 * Draws a run's progress at the end of a terminal until disposed, and takes it away again. Lines that `output` writes
 * meanwhile appear above it.
 */
export function showProgress(progress: BackupProgress, terminal: WriteStream, output: Output): Disposable {
  const startedAt = performance.now()
  const rate = new RecentRate()
  let drawn = 0
  const erase = (): void => {
    // Up to the first line that was drawn, and clear to the end of the screen.
    if (drawn > 0) terminal.write(`\u001B[${drawn}A\r\u001B[0J`)
    drawn = 0
  }
  const draw = (): void => {
    const now = performance.now()
    const rateBytes = rate.measure(progress.bytesRead, now)
    // The last column stays free: some terminals wrap a line that fills it.
    const lines = progressLines(progress, rateBytes, (now - startedAt) / 1000, Math.max(20, terminal.columns - 1))
    erase()
    terminal.write(`${lines.join('\n')}\n`)
    drawn = lines.length
  }
  output.around = (write) => {
    erase()
    write()
  }
  const timer = setInterval(draw, REDRAW_MS)
  timer.unref()
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer)
      output.around = undefined
      erase()
    },
  }
}
