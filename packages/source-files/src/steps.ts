/** What is at hand, or must be waited for. */
export type Now<T> = T | Promise<T>

/** Work in steps, each of which may have to be waited for; see `run` and `wait`. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>

/** `const value = yield* wait(maybePromise)`: as `await`, but without giving way where the value is at hand. */
export function* wait<T>(value: Now<T>): Steps<T> {
  // `run` answers with what this very promise resolved to.
  return value instanceof Promise ? ((yield value) as T) : value
}

/** Does work in steps: at once as long as nothing must be waited for, which on a local disk is to its end. */
export function run<T>(steps: Steps<T>): Now<T> {
  const step = steps.next()
  return step.done ? step.value : runLater(steps, step.value)
}

async function runLater<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  for (let waiting = first; ; ) {
    const settled = await waiting.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    const step = 'error' in settled ? steps.throw(settled.error) : steps.next(settled.value)
    if (step.done) return step.value
    waiting = step.value
  }
}
