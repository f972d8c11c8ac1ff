import { styleText } from 'node:util'

/** A character as a terminal shows it, and the codes of its style (SGR): 1 is bold, 2 dim, 31 red… */
export interface Cell {
  readonly character: string
  readonly style: readonly number[]
}

const CONTROL = /\p{Cc}\[([\d;]*)([A-Za-z])|\r|\n|[^]/gu

/**
 * What a terminal shows in the end of all that was written to it: lines that were written over are gone. It knows what our progress uses (up, erase to
 * the end of the screen or the line, styles), and no more.
 * @throws Error for a sequence that it does not know
 */
export class TerminalScreen {
  readonly rows: Cell[][] = [[]]
  #row = 0
  #column = 0
  #style: readonly number[] = []

  write(text: string): void {
    for (const [all, numbers = '', command] of text.matchAll(CONTROL)) {
      if (command !== undefined) this.#control(numbers.split(';').map(Number), command)
      else if (all === '\r') this.#column = 0
      else if (all === '\n') {
        this.#row++
        this.#column = 0
        this.rows[this.#row] ??= []
      } else this.#put(all)
    }
  }

  #put(character: string): void {
    if (/\p{Cc}/u.test(character)) throw new Error('a control character that is not known')
    const row = this.rows[this.#row] ?? []
    while (row.length < this.#column) row.push({ character: ' ', style: [] })
    row[this.#column++] = { character, style: this.#style }
  }

  #control([first = 0, ...more]: readonly number[], command: string): void {
    switch (command) {
      case 'A':
        this.#row = Math.max(0, this.#row - Math.max(1, first))
        return
      case 'J':
        this.rows.length = this.#row + 1
        this.rows[this.#row]?.splice(this.#column)
        return
      case 'K':
        this.rows[this.#row]?.splice(first === 2 ? 0 : this.#column)
        return
      case 'm':
        this.#style =
          first === 0 ? more : [...this.#style.filter((code) => !ends(first, code)), first, ...more]
        return
      default:
        throw new Error(`an escape sequence that is not known: ${command}`)
    }
  }
}

/** Whether a code ends another, or takes its place. */
function ends(code: number, other: number): boolean {
  if (code === 22) return other === 1 || other === 2
  const isColour = (one: number) => (one >= 30 && one <= 39) || (one >= 90 && one <= 97)
  return code === other || (isColour(code) && isColour(other))
}

/** The prompt, as a shell with colours would show it. */
export function prompt(command: string): string {
  return `${styleText(['bold', 'green'], '$', { validateStream: false })} ${styleText('bold', command, { validateStream: false })}\r\n`
}
