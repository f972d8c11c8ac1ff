import type { ObjectInfo, Sink } from '@pipe-backup/sink'

export class Killed extends Error {
  override readonly name = 'Killed'
}

export interface InterruptionOptions {
  /** `kill`: from then on nothing is asked of a sink any more. `abort`: the signal fires, and the operation tidies up. */
  readonly kind: 'kill' | 'abort'
  /** At which request to a sink, from 1. */
  readonly at: number
  /** Whether that request is still carried out: its answer is not heard. */
  readonly isDone: boolean
  /** Called in the moment of the kill. */
  readonly onKill?: (() => void) | undefined
}

/** Ends an operation at one of its requests. Without options it only counts. */
export class Interruption {
  requests = 0
  hasStruck = false
  readonly #options: InterruptionOptions | undefined
  readonly #controller = new AbortController()

  constructor(options?: InterruptionOptions) {
    this.#options = options
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** A request of the operation. @throws Killed */
  async step<T>(request: () => Promise<T>): Promise<T> {
    this.#throwIfKilled()
    const isTheOne = ++this.requests === this.#options?.at
    if (isTheOne && !this.#options?.isDone) this.#strike()
    this.#throwIfKilled()
    const result = await request()
    if (isTheOne) this.#strike()
    // Whatever was under way when the process died was carried out, and nobody heard of it.
    this.#throwIfKilled()
    return result
  }

  #strike(): void {
    if (this.hasStruck) return
    this.hasStruck = true
    if (this.#options?.kind === 'abort') this.#controller.abort(new Killed('aborted'))
    else this.#options?.onKill?.()
  }

  #throwIfKilled(): void {
    if (this.hasStruck && this.#options?.kind === 'kill') throw new Killed('killed')
  }
}

/** A sink as one operation sees it. @param onPut - called with what the program stores, before the sink has it */
export function watchedSink(
  sink: Sink,
  interruption: Interruption,
  onPut: (key: string, bytes: Uint8Array) => void,
): Sink {
  const step = <T>(request: () => Promise<T>): Promise<T> => interruption.step(request)
  return {
    name: sink.name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, options) =>
      step(() => {
        onPut(key, bytes)
        return sink.put(key, bytes, options)
      }),
    get: (key, options) => step(() => sink.get(key, options)),
    head: (key, options) => step(() => sink.head(key, options)),
    createReadStream: (key, options) => step(() => sink.createReadStream(key, options)),
    createWriteStream: () => {
      throw new Error('no operation on a vault writes a stream')
    },
    async *list(prefix, options) {
      yield* await step(async () => {
        const infos: ObjectInfo[] = []
        for await (const info of sink.list(prefix, options)) infos.push(info)
        return infos
      })
    },
    delete: (key, options) => step(() => sink.delete(key, options)),
    deleteMany: (keys, options) => step(() => sink.deleteMany(keys, options)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
