import { resolve } from 'node:path';
import { comparePaths } from '@pipe-backup/source';
/**
 * Configured paths as absolute bytes, sorted as a walk meets them, each once. Nested ones stay: should the walk of
 * the outer path leave them out (a pattern, another file system, a cache), they are still taken, as asked for by name.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export function toRoots(paths) {
    const sorted = paths.map(toRoot).sort(comparePaths);
    return sorted.filter((root, at) => at === 0 || !root.equals(sorted[at - 1] ?? root));
}
function toRoot(path) {
    // An empty path would resolve to the working directory: surely not what was meant.
    if (path === '')
        throw new TypeError('a path to back up is empty: name a file or directory');
    if (path.includes('\0'))
        throw new TypeError(`${JSON.stringify(path)} holds a NUL: no file has such a path`);
    return Buffer.from(resolve(path));
}
/** Whether `path` is `directory` or lies below it. Both absolute. */
export function isWithin(path, directory) {
    const end = directory.length === 1 ? 0 : directory.length;
    if (path.length === directory.length)
        return path.equals(directory);
    return path[end] === 0x2f && path.subarray(0, end).equals(directory.subarray(0, end));
}
//# sourceMappingURL=roots.js.map