import { toRoots } from './roots.js';
import { walk } from './walk.js';
/**
 * Walks directory trees and single files as one sorted sequence of entries. Each iteration walks anew.
 * Entry paths are absolute, without the leading `/`. Several paths are merged; what several of them hold comes once.
 * @param paths - files or directories, absolute or relative to the working directory of this call; `~` is not expanded.
 * @throws TypeError at once, for a path that is empty or holds a NUL.
 * @throws SourceError while iterating and only without `onProblem`: `vanished`, `unreadable`, `skipped`.
 */
export function files(paths, options = {}) {
    const roots = toRoots(paths);
    return { [Symbol.asyncIterator]: () => walk(roots, options) };
}
//# sourceMappingURL=files.js.map