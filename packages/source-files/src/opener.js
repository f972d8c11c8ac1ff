import { constants, openSync } from 'node:fs';
import { isSystemError } from './failure.js';
import { withPath } from './long-path.js';
// O_NOFOLLOW: a link put in the file's place is not followed. O_NONBLOCK: a FIFO put there does not hang the run.
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Opens files for reading, without touching their access time where that is allowed. */
export class Opener {
    /** Owners whose files the kernel has refused to open with O_NOATIME: only the owner and root may, see open(2). */
    #refused = new Set();
    /** @throws system errors, as openSync does */
    open(absolute, uid) {
        if (this.#refused.has(uid))
            return openWith(absolute, READ);
        try {
            return openWith(absolute, READ | constants.O_NOATIME);
        }
        catch (cause) {
            if (!isSystemError(cause) || cause.code !== 'EPERM')
                throw cause;
            this.#refused.add(uid);
            return openWith(absolute, READ);
        }
    }
}
function openWith(absolute, flags) {
    return withPath(absolute, (path) => openSync(path, flags));
}
//# sourceMappingURL=opener.js.map