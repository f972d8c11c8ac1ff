import { constants, readlinkSync } from 'node:fs';
import { withPath } from './long-path.js';
import { WalkedFile } from './walked-file.js';
/**
 * What was found at a path as an entry; `undefined` for a socket, which exists only while its program runs.
 * @throws system errors: a symbolic link may have vanished since
 */
export function toEntry(absolute, stat, walk) {
    const path = absolute.subarray(1);
    const type = Number(stat.mode) & constants.S_IFMT;
    if (type === constants.S_IFREG && stat.nlink <= 1n)
        return new WalkedFile(absolute, path, stat, walk);
    const uid = Number(stat.uid);
    const gid = Number(stat.gid);
    const metadata = {
        path,
        mode: Number(stat.mode) & 0o7777,
        uid,
        gid,
        user: walk.owners.user(uid),
        group: walk.owners.group(gid),
        mtimeNs: stat.mtimeNs,
    };
    switch (type) {
        case constants.S_IFREG: {
            const linkTo = walk.links.earlier(stat, path);
            if (linkTo === undefined)
                return new WalkedFile(absolute, path, stat, walk);
            return { type: 'hardlink', ...metadata, linkTo };
        }
        case constants.S_IFDIR:
            return { type: 'directory', ...metadata };
        case constants.S_IFLNK:
            return { type: 'symlink', ...metadata, target: withPath(absolute, readTarget) };
        case constants.S_IFIFO:
            return { type: 'fifo', ...metadata };
        case constants.S_IFCHR:
            return { type: 'character-device', ...metadata, ...toDeviceNumbers(stat.rdev) };
        case constants.S_IFBLK:
            return { type: 'block-device', ...metadata, ...toDeviceNumbers(stat.rdev) };
        default:
            return undefined;
    }
}
function readTarget(path) {
    return readlinkSync(path, { encoding: 'buffer' });
}
/** Linux splits a 64-bit `dev_t` so: see gnu_dev_major and gnu_dev_minor in glibc's bits/sysmacros.h. */
function toDeviceNumbers(rdev) {
    return {
        major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
        minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
    };
}
//# sourceMappingURL=to-entry.js.map