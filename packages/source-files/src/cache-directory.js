import { closeSync, constants, openSync, readSync } from 'node:fs';
import { withPath } from './long-path.js';
export const CACHE_TAG = 'CACHEDIR.TAG';
/** The first bytes of a valid tag: https://bford.info/cachedir/ */
const SIGNATURE = Buffer.from('Signature: 8a477f597d28d172789f06886806bc55');
/** Whether this file is a valid tag. One that can't be read is none: better a cache too many than a file too few. */
export function isCacheTag(absolute) {
    let fd;
    try {
        const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
        fd = withPath(absolute, (path) => openSync(path, flags));
        const head = Buffer.alloc(SIGNATURE.length);
        return readSync(fd, head, 0, head.length, 0) === head.length && head.equals(SIGNATURE);
    }
    catch {
        return false;
    }
    finally {
        if (fd !== undefined)
            closeSync(fd);
    }
}
//# sourceMappingURL=cache-directory.js.map