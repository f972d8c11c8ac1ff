import ignore, { type Ignore } from 'ignore'

/** How many answers `ignore` may remember: it keeps one for every path it was ever asked about. */
const MAX_REMEMBERED = 10_000

/** What `ignore` marks its rules with: which of the configured patterns one is. */
interface Rule {
  readonly pattern: string
  readonly mark: string
}

/**
 * Patterns in the syntax of `.gitignore`. As for git, names are bytes and so are patterns: `?` is one byte of a name,
 * and a name that is not UTF-8 is matched as it is. One that begins with a configured path is meant from the root of the
 * file system on, and holds for what is in that path.
 */
export class Excludes {
  /** True when nothing can match. */
  readonly empty: boolean
  readonly #patterns: readonly string[]
  readonly #sets = new Map<string, RuleSet>()
  readonly #byRoot = new Map<Buffer, RuleSet>()
  readonly #matched = new Set<string>()
  /** Other names of a configured path: links that lead to it. */
  readonly #aliases: ReadonlyMap<string, readonly string[]>
  readonly #prefixes: readonly string[]

  /**
   * @param roots - the configured paths
   * @param aliases - by a path that links lead to, these; all with one character for each byte
   */
  constructor(
    patterns: readonly string[],
    roots: readonly Buffer[] = [],
    aliases: ReadonlyMap<string, readonly string[]> = new Map(),
  ) {
    this.#patterns = patterns.flatMap((pattern) => Buffer.from(pattern).toString('latin1').split(/\r?\n/))
    this.#aliases = aliases
    this.#prefixes = roots.map(prefixOf)
    this.empty = patterns.length === 0
  }

  /**
   * @param root - the configured path
   * @param relative - path below it, one character for each byte, with a `/` at its end when it is a directory
   */
  has(root: Buffer, relative: string): boolean {
    if (this.empty) return false
    let rules = this.#byRoot.get(root)
    if (rules === undefined) {
      rules = this.#rulesFor(root)
      this.#byRoot.set(root, rules)
    }
    const mark = rules.matching(relative)
    if (mark === undefined) return false
    this.#matched.add(mark)
    return true
  }

  /** Which patterns have left nothing out that others had not. Those that take back (`!`) are not asked about. */
  unmatched(): string[] {
    return this.#patterns
      .filter((pattern, at) => !this.#matched.has(String(at)) && isRule(pattern))
      .map((pattern) => Buffer.from(pattern, 'latin1').toString())
  }

  #rulesFor(root: Buffer): RuleSet {
    const own = [prefixOf(root), ...(this.#aliases.get(root.toString('latin1')) ?? []).map(withSlash)]
    const rules = this.#patterns.flatMap((pattern, at) => {
      const found = this.#translate(pattern, own)
      return found === undefined ? [] : [{ pattern: found, mark: String(at) }]
    })
    // Configured paths whose patterns are the same share what `ignore` remembers.
    const key = JSON.stringify(rules)
    const known = this.#sets.get(key) ?? new RuleSet(rules)
    this.#sets.set(key, known)
    return known
  }

  /** @returns the pattern as it is below this path; `undefined` when it is meant for another one */
  #translate(pattern: string, own: readonly string[]): string | undefined {
    const negation = pattern.startsWith('!') ? '!' : ''
    const path = pattern.slice(negation.length)
    const prefix = own.find((one) => path.startsWith(one) && path.length > one.length)
    if (prefix !== undefined) return `${negation}/${path.slice(prefix.length)}`
    const isOfAnother =
      this.#prefixes.some((one) => path.startsWith(one)) ||
      [...this.#aliases.values()].flat().some((one) => path.startsWith(withSlash(one)))
    return isOfAnother ? undefined : pattern
  }
}

class RuleSet {
  readonly #patterns: readonly Rule[]
  #rules: Ignore
  #asked = 0

  constructor(patterns: readonly Rule[]) {
    this.#patterns = patterns
    this.#rules = compile(patterns)
  }

  /** The mark of the pattern that leaves a path out. */
  matching(relative: string): string | undefined {
    if (++this.#asked % MAX_REMEMBERED === 0) this.#rules = compile(this.#patterns)
    if (!this.#rules.ignores(relative)) return undefined
    return this.#rules.test(relative).rule?.mark ?? ''
  }
}

function compile(patterns: readonly Rule[]): Ignore {
  // As git does on POSIX: `*.log` is not `X.LOG`.
  return ignore({ ignorecase: false }).add(patterns)
}

function isRule(pattern: string): boolean {
  return pattern.trim() !== '' && !pattern.startsWith('#') && !pattern.startsWith('!')
}

function prefixOf(root: Buffer): string {
  return withSlash(root.toString('latin1'))
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}
