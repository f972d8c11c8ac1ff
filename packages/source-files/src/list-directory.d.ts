import { type BigIntStats } from 'node:fs';
export interface Listing {
    /**
     * In the order of their bytes, one character (U+0001 to U+00FF) for each byte: `latin1` loses nothing, takes a
     * quarter of the memory that Buffers would, and its strings compare as their bytes do.
     */
    readonly names: readonly string[];
    readonly device: bigint;
}
/**
 * Lists a directory, which must be the one that was looked at, and not what a link put in its place leads to.
 * @returns `undefined` when it is no directory any more
 * @throws system errors
 */
export declare function listDirectory(absolute: Buffer, seen: BigIntStats): Promise<Listing | undefined>;
