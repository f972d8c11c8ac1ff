/** Patterns in the syntax of `.gitignore`. */
export declare class Excludes {
    #private;
    /** True when nothing can match. */
    readonly empty: boolean;
    constructor(patterns: readonly string[]);
    /** @param relative - path below a configured path, with a `/` at its end when it is a directory. */
    has(relative: string): boolean;
}
