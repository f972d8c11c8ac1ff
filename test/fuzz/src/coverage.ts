import { type Profiler, Session } from 'node:inspector'

/** A function, and which of its characters have run: 1 for each. */
export interface RanFunction {
  readonly name: string
  readonly ran: Uint8Array
}

/** Which parts of which functions have run, by V8's own counters: nothing has to be instrumented, and no build stands between. */
export class Coverage {
  readonly #session = new Session()
  /** By function: which of its characters have run. */
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

  /** What has run since the last call that never ran before what was kept. */
  look(): readonly RanFunction[] {
    return this.#take()
      .filter(({ url }) => url.startsWith('file:') && !url.includes(this.#ignored))
      .flatMap(({ url, functions }) => functions.map(({ ranges }) => ranOf(url, ranges)))
      .filter((some) => some !== undefined)
      .filter((some) => this.#newBlocks(some) > 0)
  }

  /** What was found is new no more. */
  keep(found: readonly RanFunction[]): void {
    for (const some of found) {
      this.#blocks += this.#newBlocks(some)
      const known = this.#covered.get(some.name)
      this.#covered.set(some.name, known ? some.ran.map((hasRun, i) => hasRun | (known[i] ?? 0)) : some.ran)
    }
  }

  #newBlocks({ name, ran }: RanFunction): number {
    const known = this.#covered.get(name)
    let blocks = 0
    for (let i = 0; i < ran.length; i++)
      if (ran[i] === 1 && known?.[i] !== 1 && (i === 0 || ran[i - 1] === 0 || known?.[i - 1] === 1)) blocks++
    return blocks
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

function ranOf(url: string, ranges: readonly Profiler.CoverageRange[]): RanFunction | undefined {
  const [whole] = ranges
  if (!whole || whole.count === 0) return undefined
  const { startOffset, endOffset } = whole
  const ran = new Uint8Array(endOffset - startOffset)
  // Outer ranges come before those in them.
  for (const range of ranges)
    ran.fill(range.count > 0 ? 1 : 0, range.startOffset - startOffset, range.endOffset - startOffset)
  return { name: `${url}:${startOffset}`, ran }
}
