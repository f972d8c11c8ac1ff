import type { SinkOptions } from '@pipe-backup/sink'

const PIECE_BYTES = 256 * 1024

/** Reports pieces to `onBytes`, one after the other, and between them, with 0 bytes, that something has moved. */
export class ProgressReporter {
  readonly #onBytes: SinkOptions['onBytes']
  #reporting: Promise<void> | undefined

  constructor(onBytes: SinkOptions['onBytes']) {
    this.#onBytes = onBytes
  }

  /** Of so many bytes, in small pieces; waits for what each returns. */
  async report(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      await this.#reporting
      await this.#say(Math.min(left, PIECE_BYTES))
    }
  }

  /** Something has moved that can't be counted. */
  pulse(): void {
    // Whoever holds it back does so by its signal too.
    if (!this.#reporting && this.#onBytes) this.#say(0).catch(() => undefined)
  }

  async #say(bytes: number): Promise<void> {
    const saying = (async () => this.#onBytes?.(bytes))()
    const over = saying.then(
      () => undefined,
      () => undefined,
    )
    this.#reporting = over
    try {
      await saying
    } finally {
      if (this.#reporting === over) this.#reporting = undefined
    }
  }
}
