import type { Output } from './output.ts'

const REDRAW_MS = 200

/** Terminals that don't say how wide they are say 0. */
const DEFAULT_COLUMNS = 80

/** What is needed of a `tty.WriteStream`. */
export interface Terminal {
  readonly columns: number
  write(text: string): unknown
}

/**
 * Draws lines at the end of a terminal, again and again until disposed, and takes them away then. Lines that `output`
 * writes meanwhile appear above them.
 * @param lines - what is to be seen, given the time in milliseconds since the start; cut at the terminal's width
 */
export function showProgress(
  lines: (elapsedMs: number) => readonly string[],
  terminal: Terminal,
  output: Output,
): Disposable {
  const startedAt = performance.now()
  let drawn: readonly string[] = []
  const width = (): number => Math.max(20, terminal.columns || DEFAULT_COLUMNS)
  const erase = (): void => {
    // What was drawn on a wider terminal is wrapped by one that has become narrow.
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / width())), 0)
    // Up to the first line that was drawn, and clear to the end of the screen.
    if (rows > 0) terminal.write(`\u001B[${rows}A\r\u001B[0J`)
    drawn = []
  }
  const draw = (): void => {
    // The last column stays free: some terminals wrap a line that fills it.
    const columns = width() - 1
    const now = lines(performance.now() - startedAt).map((line) => line.slice(0, columns))
    erase()
    terminal.write(`${now.join('\n')}\n`)
    drawn = now
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
