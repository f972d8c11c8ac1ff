/**
 * Calls `use` with a path that system calls accept and that leads to `absolute`, however long that is: a path past
 * PATH_MAX is walked in parts, each directory opened from the one before it through /proc/self/fd.
 * The short path is good for the time of the call only.
 * @throws what `use` throws; a system error when a directory on the way can't be opened.
 */
export declare function withPath<T>(absolute: Buffer, use: (path: Buffer) => T): T;
