import { type Profiler, Session } from 'node:inspector'

/** Which parts of which functions have run, by V8's own counters: nothing has to be instrumented, and no build stands between. */
export class Coverage {
  readonly #session = new Session()
  /** By function: which of its characters have run, as blocks. */
  readonly #covered = new Map<string, Uint8Array>()
  readonly #ignored: string
  #blocks = 0

  /** Counts in all code that is loaded from now on. @param ignored - a part of the addresses that do not count: the fuzzer's own */
  constructor(ignored: string) {
    this.#ignored = ignored
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** How many blocks of code have run. */
  get blocks(): number {
    return this.#blocks
  }

  /** Forgets what has run since the last call. */
  skip(): void {
    this.#take()
  }

  /**
   * Looks at what has run since the last call.
   * @param keep - false to look alone: it is new the next time as well
   * @returns whether any of it never ran before
   */
  isNew(keep: boolean): boolean {
    let isNew = false
    for (const { url, functions } of this.#take()) {
      if (!url.startsWith('file:') || url.includes(this.#ignored)) continue
      for (const { ranges } of functions) if (this.#isNewIn(url, ranges, keep)) isNew = true
    }
    return isNew
  }

  #isNewIn(url: string, ranges: readonly Profiler.CoverageRange[], keep: boolean): boolean {
    const [whole] = ranges
    if (!whole || whole.count === 0) return false
    const { startOffset, endOffset } = whole
    const ran = new Uint8Array(endOffset - startOffset)
    // Outer ranges come before those in them.
    for (const range of ranges)
      ran.fill(range.count > 0 ? 1 : 0, range.startOffset - startOffset, range.endOffset - startOffset)
    const name = `${url}:${startOffset}`
    const known = this.#covered.get(name)
    let blocks = 0
    for (let i = 0; i < ran.length; i++)
      if (ran[i] === 1 && known?.[i] !== 1 && (i === 0 || ran[i - 1] === 0 || known?.[i - 1] === 1)) blocks++
    if (blocks === 0) return false
    if (keep) {
      this.#blocks += blocks
      for (let i = 0; i < ran.length; i++) if (known?.[i] === 1) ran[i] = 1
      this.#covered.set(name, ran)
    }
    return true
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let taken: readonly Profiler.ScriptCoverage[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error
      taken = result
    })
    return taken
  }
}
