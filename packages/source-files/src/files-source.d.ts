import type { ReadContext, Source } from '@pipe-backup/source';
import { type FilesOptions } from './files.ts';
export interface FilesSourceOptions extends Omit<FilesOptions, keyof ReadContext> {
    /** From the configuration; the first component of every path that a user sees. */
    readonly name: string;
    /** Files or directories, as for `files()`. */
    readonly paths: readonly string[];
    /** How often the tree may be read again, at most, until nothing changed meanwhile. Default 0. */
    readonly settle?: number;
}
/**
 * `files()` as a named source.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export declare function filesSource(options: FilesSourceOptions): Source;
