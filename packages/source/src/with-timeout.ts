import type { Entry, EntryReader, FileEntry } from './entry.ts'
import { SourceError } from './problem.ts'
import type { Source } from './source.ts'

export interface SourceTimeoutOptions {
  /** How long nothing may come, in milliseconds. */
  readonly silentMs: number
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * A source that fails as a whole, with SourceError `timeout`, when nothing has come of it for a while: a program that waits for a lock, a
 * file system whose server is gone. Time in which the caller holds things up does not count. What hangs is reported to stop, and not waited for.
 */
export function withTimeout(source: Source, { silentMs }: SourceTimeoutOptions): Source {
  return {
    ...source,
    async *entries(context = {}) {
      // One of its own that follows: what AbortSignal.any() makes looks at all it is made of whenever it is asked, which is for each entry.
      const given = new AbortController()
      const follow = (): void => given.abort(context.signal?.reason)
      if (context.signal?.aborted) follow()
      context.signal?.addEventListener('abort', follow, { once: true })
      const idle = new IdleTimeout(silentMs, given)
      const entries = source.entries({ ...context, signal: given.signal })[Symbol.asyncIterator]()
      let isOver = false
      try {
        for (;;) {
          const step = await idle.watch(entries.next())
          isOver = step.done === true
          if (step.done) return
          yield step.value.type === 'file' ? watched(step.value, idle) : step.value
        }
      } finally {
        context.signal?.removeEventListener('abort', follow)
        idle.stop()
        const ended = isOver ? undefined : entries.return?.()
        if (idle.isBroken) ended?.catch(() => undefined)
        else await ended
      }
    },
  }
}

/** The same entry, for its metadata may move on when it is opened; its readers are others. */
function watched(entry: FileEntry, idle: IdleTimeout): Entry {
  const open = entry.open.bind(entry)
  return Object.defineProperty(entry, 'open', {
    configurable: true,
    enumerable: true,
    value: async () => watchedReader(await idle.watch(open()), idle),
  })
}

function watchedReader(reader: EntryReader, idle: IdleTimeout): EntryReader {
  return {
    read: (into) => idle.watch(reader.read(into)),
    finish: () => idle.watch(reader.finish()),
    close: () => {
      const closed = reader.close()
      if (!idle.isBroken) return closed
      Promise.resolve(closed).catch(() => undefined)
    },
  }
}

/** One timer for all that is waited for: to set one for each entry costs as much as to look at the entry. */
class IdleTimeout {
  readonly #ms: number
  readonly #given: AbortController
  readonly #waiting = new Set<(error: unknown) => void>()
  /** When something came, or was waited for again. */
  #movedAtMs = 0
  #timer: NodeJS.Timeout | undefined
  #isBroken = false

  /** @param given - what is aborted when nothing comes */
  constructor(ms: number, given: AbortController) {
    this.#ms = Math.min(ms, LONGEST_TIMER_MS)
    this.#given = given
  }

  get isBroken(): boolean {
    return this.#isBroken
  }

  watch<T>(coming: T | Promise<T>): T | Promise<T> {
    if (!(coming instanceof Promise)) return coming
    this.#movedAtMs = performance.now()
    this.#timer ??= setTimeout(() => this.#check(), this.#ms)
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject)
      const moved = (): void => {
        this.#waiting.delete(reject)
        this.#movedAtMs = performance.now()
      }
      coming.then(
        (value) => {
          moved()
          resolve(value)
        },
        (error: unknown) => {
          moved()
          reject(error)
        },
      )
    })
  }

  /** Nothing more is expected. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #check(): void {
    this.#timer = undefined
    if (this.#waiting.size === 0) return
    // A timer may be early by a part of a millisecond.
    const leftMs = Math.ceil(this.#ms - (performance.now() - this.#movedAtMs))
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#check(), leftMs)
      return
    }
    const error = new SourceError('timeout', `nothing has come of it for ${this.#ms / 1000} s`, {
      hint: 'Look at what it waits for; `timeout` of the source says how long is too long.',
    })
    this.#isBroken = true
    for (const reject of this.#waiting) reject(error)
    this.#given.abort(error)
  }
}
