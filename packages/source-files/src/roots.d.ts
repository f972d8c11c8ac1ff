/**
 * Configured paths as absolute bytes, sorted as a walk meets them, each once. Nested ones stay: should the walk of
 * the outer path leave them out (a pattern, another file system, a cache), they are still taken, as asked for by name.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export declare function toRoots(paths: readonly string[]): Buffer[];
/** Whether `path` is `directory` or lies below it. Both absolute. */
export declare function isWithin(path: Buffer, directory: Buffer): boolean;
