import ignore, { type Ignore } from 'ignore'

/** How many answers `ignore` may remember: it keeps one for every path it was ever asked about. */
const MAX_REMEMBERED = 10_000

/**
 * Patterns in the syntax of `.gitignore`. As for git, names are bytes and so are patterns: `?` is one byte of a name,
 * and a name that is not UTF-8 is matched as it is.
 */
export class Excludes {
  /** True when nothing can match. */
  readonly empty: boolean
  readonly #patterns: readonly string[]
  #rules: Ignore
  #asked = 0

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => Buffer.from(pattern).toString('latin1'))
    this.empty = patterns.length === 0
    this.#rules = compile(this.#patterns)
  }

  /** @param relative - path below a configured path, one character for each byte, with a `/` at its end when it is a directory. */
  has(relative: string): boolean {
    if (this.empty) return false
    if (++this.#asked % MAX_REMEMBERED === 0) this.#rules = compile(this.#patterns)
    return this.#rules.ignores(relative)
  }
}

function compile(patterns: readonly string[]): Ignore {
  // As git does on POSIX: `*.log` is not `X.LOG`.
  return ignore({ ignorecase: false }).add(patterns)
}
