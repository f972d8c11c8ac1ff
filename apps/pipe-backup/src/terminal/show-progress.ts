import type { WriteStream } from 'node:tty'
import type { Output } from './output.ts'

const REDRAW_MS = 200

/** Terminals that don't say how wide they are say 0. */
const DEFAULT_COLUMNS = 80

/**
 * Draws lines at the end of a terminal, again and again until disposed, and takes them away then. Lines that `output`
 * writes meanwhile appear above them.
 * @param lines - what is to be seen, given the time in milliseconds since the start; cut at the terminal's width
 */
export function showProgress(
  lines: (elapsedMs: number) => readonly string[],
  terminal: WriteStream,
  output: Output,
): Disposable {
  const startedAt = performance.now()
  let drawn = 0
  const erase = (): void => {
    // Up to the first line that was drawn, and clear to the end of the screen.
    if (drawn > 0) terminal.write(`\u001B[${drawn}A\r\u001B[0J`)
    drawn = 0
  }
  const draw = (): void => {
    // The last column stays free: some terminals wrap a line that fills it.
    const columns = Math.max(20, (terminal.columns || DEFAULT_COLUMNS) - 1)
    const now = lines(performance.now() - startedAt).map((line) => line.slice(0, columns))
    erase()
    terminal.write(`${now.join('\n')}\n`)
    drawn = now.length
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
