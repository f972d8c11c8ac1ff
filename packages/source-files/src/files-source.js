import { files } from './files.js';
/**
 * `files()` as a named source.
 * @throws TypeError for a path that is empty or holds a NUL.
 */
export function filesSource(options) {
    const { name, paths, settle = 0, ...rest } = options;
    // Once now, so that a bad path is told of when the source is made, not when it is first read.
    files(paths);
    return { name, settle, entries: (context) => files(paths, { ...rest, ...context }) };
}
//# sourceMappingURL=files-source.js.map