import type { Readable } from 'node:stream'

const LINES = 5
const MAX_CHARACTERS = 2000

/** Drains a program's standard error, and keeps its end. */
export class LastLines {
  /** Resolves when there is no more. */
  readonly drained: Promise<void>
  readonly #ignored: RegExp | undefined
  #text = ''

  /** @param ignored - lines that are not kept */
  constructor(stream: Readable, ignored?: RegExp) {
    this.#ignored = ignored
    this.drained = this.#drain(stream)
  }

  /** The last lines as one, without control characters. */
  get text(): string {
    const lines = this.#text.split(/[\r\n]+/).map((line) => line.replaceAll(/\p{Cc}/gu, ' ').trim())
    return lines
      .filter((line) => line !== '' && !this.#ignored?.test(line))
      .slice(-LINES)
      .join(' | ')
  }

  async #drain(stream: Readable): Promise<void> {
    try {
      for await (const piece of stream)
        this.#text = (this.#text + Buffer.from(piece as Uint8Array).toString()).slice(-MAX_CHARACTERS)
    } catch {
      // Torn off when the program was killed: what came before is kept.
    }
  }
}
