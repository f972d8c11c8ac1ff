import ignore, {} from 'ignore';
/** How many answers `ignore` may remember: it keeps one for every path it was ever asked about. */
const MAX_REMEMBERED = 10_000;
/** Patterns in the syntax of `.gitignore`. */
export class Excludes {
    /** True when nothing can match. */
    empty;
    #patterns;
    #rules;
    #asked = 0;
    constructor(patterns) {
        this.#patterns = patterns;
        this.empty = patterns.length === 0;
        this.#rules = compile(patterns);
    }
    /** @param relative - path below a configured path, with a `/` at its end when it is a directory. */
    has(relative) {
        if (this.empty)
            return false;
        if (++this.#asked % MAX_REMEMBERED === 0)
            this.#rules = compile(this.#patterns);
        return this.#rules.ignores(relative);
    }
}
function compile(patterns) {
    // As git does on POSIX: `*.log` is not `X.LOG`.
    return ignore({ ignorecase: false }).add(patterns);
}
//# sourceMappingURL=excludes.js.map