import type { BigIntStats } from 'node:fs';
/** Which files with several names have been met. Holds those only, and each only until its last name was met. */
export declare class Links {
    #private;
    /** The path under which this file came earlier; else `undefined`, and from now on it is `path`. */
    earlier(stat: BigIntStats, path: Uint8Array): Uint8Array | undefined;
    /** The first name could not be read: the next name is to be a file of its own. */
    forget(key: string): void;
}
/** The time of birth tells a file from a later one that was given the number of a deleted one. */
export declare function keyOf(stat: BigIntStats): string;
