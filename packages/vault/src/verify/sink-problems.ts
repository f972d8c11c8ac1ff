import type { DamageBook } from '../store/damage-book.ts'
import type { VerifyProblem } from './report.ts'

interface SinkProblemsOptions {
  readonly book: DamageBook | undefined
  readonly now: () => Date
  readonly onProblem?: ((problem: VerifyProblem) => void) | undefined
}

/** What was found wrong on one sink, by key: reported once, and remembered for `heal`. */
export class SinkProblems {
  readonly #sink: string
  readonly #options: SinkProblemsOptions
  readonly #byKey = new Map<string, VerifyProblem>()

  constructor(sink: string, options: SinkProblemsOptions) {
    this.#sink = sink
    this.#options = options
  }

  all(): VerifyProblem[] {
    return [...this.#byKey.values()]
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** @param said - one line; the sink is named in front where it is not */
  add(
    key: string,
    why: 'missing' | 'corrupt',
    said: string,
    { isHealable = true }: { readonly isHealable?: boolean | undefined } = {},
  ): void {
    if (this.#byKey.has(key)) return
    const prefix = `sink "${this.#sink}": `
    const message = said.startsWith(prefix) ? said : `${prefix}${said}`
    const problem = { sink: this.#sink, key, why, message }
    this.#byKey.set(key, problem)
    if (isHealable) this.#options.book?.add(this.#sink, key, why, this.#options.now())
    this.#options.onProblem?.(problem)
  }

  /** It is whole: what an earlier verification said of it is over. */
  clear(key: string): void {
    this.#options.book?.clear(this.#sink, key)
  }
}
