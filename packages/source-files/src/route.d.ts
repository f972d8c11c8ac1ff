/** A configured path that takes what is at, or in, a place of the walk. Where configured paths nest, several do. */
export interface Claim {
    readonly root: Buffer;
    /** Device of the configured path. */
    readonly device: bigint;
    /** Path of the place below the configured path, for patterns: empty, or with a `/` at its end. */
    readonly relative: string;
}
/** A directory that is being walked. */
export interface Frame {
    /** Absolute path with a `/` at its end. */
    readonly prefix: Buffer;
    /** Sorted; one character for each byte. */
    readonly names: readonly string[];
    /** On what is in it. */
    readonly claims: readonly Claim[];
}
/** The next place to look at. */
export interface Stop {
    readonly absolute: Buffer;
    /** Where in `absolute` the name starts. */
    readonly nameAt: number;
    /** Whether this is a configured path. */
    readonly isRoot: boolean;
    /** Of the outer configured paths, where the walk came here from one. */
    readonly claims: readonly Claim[];
}
/**
 * Where a walk goes next: into the directories entered last, and to the configured paths, all in the order of
 * comparePaths. A configured path that the walk of an outer one has passed by comes at its place in that order.
 * The names of the directories on the way down are all that is remembered of the tree.
 */
export declare class Route {
    #private;
    /** @param roots - absolute, sorted, each once */
    constructor(roots: readonly Buffer[]);
    /** To be called at the stop which is that directory, if at all. */
    enter(frame: Frame): void;
    next(): Stop | undefined;
}
