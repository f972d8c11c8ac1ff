import { createHash } from 'node:crypto'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import { type Followed, follow } from './follow.ts'
import { Outage } from './outage.ts'
import { pause } from './pause.ts'
import type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkOptions } from './sink.ts'
import { SinkError } from './sink-error.ts'

export interface RetryOptions extends BackoffOptions {
  /** How often a request is made, at most. Default 8: about two minutes of waiting. */
  readonly tries?: number | undefined
  /** A request that a server asks to be repeated later than this is not repeated. Default 10 minutes. */
  readonly longestWaitMs?: number | undefined
  /** Called before each wait. */
  readonly onRetry?: ((error: SinkError, waitMs: number) => void) | undefined
  /** Given by tests. */
  readonly sleep?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
  readonly now?: (() => number) | undefined
}

const TRIES = 8
const LONGEST_WAIT_MS = 600_000

/**
 * A sink whose requests are made again when they failed for a reason that may pass (`SinkError.retryable`).
 * When the tries of one request are used up and nothing else was answered meanwhile, the sink is down: what follows fails at once with the
 * same error, but for one request now and then that looks whether it is back.
 * After a `put` that failed without an answer the object is looked for before it is sent again. Reads go on where they were
 * cut, listings leave out what they have shown. Write streams are handed on as they are: their bytes can't be had twice.
 */
export function withRetry(sink: Sink, options: RetryOptions = {}): Sink {
  const attempts = new Attempts(options)
  const retried = <T>(request: () => Promise<T>, signal?: AbortSignal) => attempts.run(request, signal)
  return {
    name: sink.name,
    appendOnly: sink.appendOnly,
    put: (key, bytes, put = {}) => putOnce(sink, attempts, key, bytes, put),
    createWriteStream: (key, write) => sink.createWriteStream(key, write),
    createReadStream: async (key, read = {}) => {
      const first = await retried(() => sink.createReadStream(key, read), read.signal)
      const followed = { stream: first }
      return follow(followed, resumed(sink, attempts, followed, key, read))
    },
    get: (key, read) => retried(() => sink.get(key, read), read?.signal),
    head: (key, head) => retried(() => sink.head(key, head), head?.signal),
    list: (prefix, list = {}) => listed(sink, attempts, prefix, list),
    delete: (key, options) => retried(() => sink.delete(key, options), options?.signal),
    deleteMany: (keys, options) => deleteAll(sink, attempts, keys, options),
    freeBytes: (free) => retried(async () => await sink.freeBytes?.(free), free?.signal),
    renewLock: (key, storedAt, renew) =>
      retried(async () => (await sink.renewLock?.(key, storedAt, renew)) ?? false, renew?.signal),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** Counts what has failed and waits between. */
class Attempts {
  readonly #options: RetryOptions
  readonly #outage: Outage

  constructor(options: RetryOptions) {
    this.#options = options
    this.#outage = new Outage(options.now ?? (() => performance.now()))
  }

  /** Begins a round. @throws SinkError when the sink is down */
  begin(): Round {
    this.#outage.check()
    return new Round(this.#options, this.#outage)
  }

  async run<T>(request: (failures: number) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const round = this.begin()
    for (;;) {
      try {
        const result = await request(round.failures)
        round.succeed()
        return result
      } catch (error) {
        await round.waitAfter(error, signal)
      }
    }
  }
}

/** The tries of one request. */
class Round {
  readonly #options: RetryOptions
  readonly #outage: Outage
  #successesBefore: number
  failures = 0

  constructor(options: RetryOptions, outage: Outage) {
    this.#options = options
    this.#outage = outage
    this.#successesBefore = outage.successes
  }

  /** The sink has answered: what fails from now on begins again. */
  succeed(): void {
    this.failures = 0
    this.#outage.succeed()
    this.#successesBefore = this.#outage.successes
  }

  /** @throws the error, when trying again makes no sense */
  async waitAfter(error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { tries = TRIES, longestWaitMs = LONGEST_WAIT_MS, onRetry, sleep = pause } = this.#options
    if (!(error instanceof SinkError)) throw error
    if (!error.retryable) {
      // A refusal is an answer.
      this.#outage.succeed()
      throw error
    }
    this.failures++
    const waitMs = backoffMs(this.failures, error.retryAfterMs, this.#options)
    if (this.#outage.isDown || this.failures >= tries || waitMs > longestWaitMs) {
      this.#outage.fail(error, this.#successesBefore)
      throw error
    }
    onRetry?.(error, waitMs)
    await sleep(waitMs, signal)
    // Others have used their tries up meanwhile.
    if (this.#outage.isDown) throw error
  }
}

async function putOnce(
  sink: Sink,
  attempts: Attempts,
  key: string,
  bytes: Uint8Array,
  options: PutOptions,
): Promise<void> {
  await attempts.run(async (failures) => {
    // The last try may have done it, and only its answer been lost.
    if (failures > 0 && (await holds(sink, key, bytes, options))) return
    try {
      await sink.put(key, bytes, options)
    } catch (error) {
      const taken = error instanceof SinkError && error.code === 'exists'
      if (!taken || failures === 0 || !(await holds(sink, key, bytes, options))) throw error
    }
  }, options.signal)
}

/** Whether the object is there with these bytes; where that may not be asked, it is not known to be. */
async function holds(
  sink: Sink,
  key: string,
  bytes: Uint8Array,
  { signal, sha256 }: PutOptions,
): Promise<boolean> {
  const options: SinkOptions = signal ? { signal } : {}
  const info = await sink.head(key, options).catch((error: unknown) => {
    if (error instanceof SinkError && error.code === 'forbidden') return undefined
    throw error
  })
  if (info?.sizeBytes !== bytes.length) return false
  if (info.sha256 !== undefined)
    return info.sha256 === (sha256 ?? createHash('sha256').update(bytes).digest('hex'))
  return Buffer.compare(await sink.get(key, { ...options, length: bytes.length }), bytes) === 0
}

async function deleteAll(
  sink: Sink,
  attempts: Attempts,
  keys: readonly string[],
  options: SinkOptions = {},
): Promise<ReadonlyMap<string, SinkError>> {
  const lasting = new Map<string, SinkError>()
  let left = keys
  const round = attempts.begin()
  for (;;) {
    const asked = left
    const failed = await attempts.run(() => sink.deleteMany(asked, options), options.signal)
    for (const [key, error] of failed) if (!error.retryable) lasting.set(key, error)
    const passing = [...failed].filter(([, error]) => error.retryable)
    const [first] = passing
    if (!first) return lasting
    left = passing.map(([key]) => key)
    try {
      await round.waitAfter(first[1], options.signal)
    } catch (error) {
      if (error !== first[1]) throw error
      return new Map([...lasting, ...passing])
    }
  }
}

async function* resumed(
  sink: Sink,
  attempts: Attempts,
  followed: Followed,
  key: string,
  { offset = 0, length, ...options }: ReadOptions,
): AsyncGenerator<Uint8Array> {
  let got = 0
  const round = attempts.begin()
  for (;;) {
    const reading = followed.stream
    try {
      for await (const piece of reading as AsyncIterable<Uint8Array>) {
        got += piece.length
        round.succeed()
        yield piece
      }
      return
    } catch (error) {
      await round.waitAfter(error, options.signal)
      if (length !== undefined && got >= length) return
      const left = length === undefined ? undefined : length - got
      const rest = { ...options, offset: offset + got, length: left }
      followed.stream = await attempts.run(() => sink.createReadStream(key, rest), options.signal)
    } finally {
      reading.destroy()
    }
  }
}

async function* listed(
  sink: Sink,
  attempts: Attempts,
  prefix: string,
  options: SinkOptions,
): AsyncGenerator<ObjectInfo> {
  const shown = new Set<string>()
  const round = attempts.begin()
  for (;;) {
    try {
      for await (const info of sink.list(prefix, options)) {
        if (shown.has(info.key)) continue
        shown.add(info.key)
        round.succeed()
        yield info
      }
      round.succeed()
      return
    } catch (error) {
      await round.waitAfter(error, options.signal)
    }
  }
}
