import { inspect } from 'node:util'

/** Holds something that must not be shown: it prints as `[secret]` whatever prints it. */
export class Secret<T> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
    // What `util.inspect`, and so `console.log`, shows.
    Object.defineProperty(this, inspect.custom, { value: () => '[secret]', enumerable: false })
  }

  /** The value itself, for the one place that needs it. */
  reveal(): T {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }
}
