import type { ReadStream } from 'node:tty'
import { CommandError } from '../command-error.ts'

const WORDS = 24

/**
 * Asks for the recovery phrase without showing it. Enter ends it once 24 words are there, or on an empty line: a phrase
 * copied from its grid has several lines.
 * @param write - where the prompt goes: never standard output
 * @throws CommandError `cancelled` on Ctrl-C
 */
export async function promptForPhrase(stdin: ReadStream, write: (text: string) => void): Promise<string> {
  write('Recovery phrase (24 words, hidden): ')
  const edit = new HiddenLines()
  stdin.setRawMode(true)
  stdin.resume()
  try {
    for await (const piece of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      for (const key of Buffer.from(piece).toString('utf8')) {
        const state = edit.type(key)
        if (state === 'done') return edit.text
        if (state === 'cancelled') throw new CommandError('cancelled', 'no phrase was given')
        if (state === 'more') write(`\n${edit.words} of ${WORDS} words, go on (an empty line ends): `)
      }
    }
    return edit.text
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    write('\n')
  }
}

/** Lines typed without an echo: what each key does to them. */
export class HiddenLines {
  #before = ''
  #line = ''

  get text(): string {
    return `${this.#before}${this.#line}`
  }

  get words(): number {
    return this.text.match(/[a-z]+/gi)?.length ?? 0
  }

  type(key: string): 'typing' | 'more' | 'done' | 'cancelled' {
    switch (key) {
      case '\r':
      case '\n': {
        const blank = this.#line.trim() === ''
        this.#before = `${this.text} `
        this.#line = ''
        return blank || this.words >= WORDS ? 'done' : 'more'
      }
      case '\u0003':
        return 'cancelled'
      case '\u0004':
        return 'done'
      case '\u007F':
      case '\b':
        this.#line = this.#line.slice(0, -1)
        return 'typing'
      case '\u0015':
        this.#line = ''
        return 'typing'
      default:
        this.#line += key
        return 'typing'
    }
  }
}
