/** Finds out when something was not used for a while. While it is in use no time passes. */
export class IdleWatch {
  readonly #idleMs: number
  readonly #onIdle: () => void
  #users = 0
  #until: Date | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param onIdle - called once it was not used for so long; it is no longer watched then */
  constructor(idleMs: number, onIdle: () => void) {
    this.#idleMs = idleMs
    this.#onIdle = onIdle
  }

  /** When it will have been idle, unless it is used; `undefined` while it is not watched. */
  get until(): Date | undefined {
    return this.#until
  }

  /** Begins to watch, or counts from now on again. */
  start(): void {
    clearTimeout(this.#timer)
    this.#until = new Date(Date.now() + this.#idleMs)
    this.#timer = setTimeout(() => this.#expire(), this.#idleMs)
    this.#timer.unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#until = undefined
  }

  /** In use until disposed of. */
  use(): Disposable {
    this.#users++
    if (this.#until) this.start()
    let isDone = false
    return {
      [Symbol.dispose]: () => {
        if (isDone) return
        isDone = true
        this.#users--
        if (this.#until) this.start()
      },
    }
  }

  #expire(): void {
    if (this.#users > 0) return this.start()
    this.stop()
    this.#onIdle()
  }
}
