/** Where a process is killed: before or after the write of this number, from 1. With 0 it lives. */
export interface CrashPoint {
  readonly at: number
  readonly side: 'before' | 'after'
}

/**
 * The life of a process: its writes are counted, and at one of them it is killed. From then on nothing that it has begun is answered, and nothing
 * more is written: no handler runs, and no cleanup.
 */
export class Lifeline {
  /** What was written, in words: the last one is where it was killed. */
  readonly points: string[] = []
  /** Resolves when it is killed. */
  readonly died: Promise<void>
  readonly #point: CrashPoint
  #isDead = false
  #die: () => void = () => undefined

  constructor(point: CrashPoint) {
    this.#point = point
    this.died = new Promise((resolve) => {
      this.#die = resolve
    })
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** Answers as long as the process lives. */
  async read<T>(act: () => Promise<T>): Promise<T> {
    if (this.#isDead) return await never()
    const result = await act()
    return this.#isDead ? await never() : result
  }

  /** A write that is waited for. */
  async write<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#isDead) return await never()
    const number = this.points.push(what)
    if (this.#isAt(number, 'before')) return await never()
    const result = await act()
    if (this.#isDead || this.#isAt(number, 'after')) return await never()
    return result
  }

  /** A write that nobody waits for: whoever is dead can only be stopped by an error. */
  writeSync<T>(what: string, act: () => T): T {
    if (this.#isDead) throw new Error('the process is dead')
    const number = this.points.push(what)
    if (this.#isAt(number, 'before')) throw new Error('the process dies')
    const result = act()
    if (this.#isAt(number, 'after')) throw new Error('the process dies')
    return result
  }

  #isAt(number: number, side: CrashPoint['side']): boolean {
    if (this.#point.at !== number || this.#point.side !== side) return false
    this.#isDead = true
    this.#die()
    return true
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}
