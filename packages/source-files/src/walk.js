import { lstatSync, realpathSync } from 'node:fs';
import { CACHE_TAG, isCacheTag } from './cache-directory.js';
import { claimsAt, isExcludedAsAny } from './claims.js';
import { Excludes } from './excludes.js';
import { replaced, report, toFailure } from './failure.js';
import { Links } from './links.js';
import { listDirectory } from './list-directory.js';
import { withPath } from './long-path.js';
import { Opener } from './opener.js';
import { Owners } from './owners.js';
import { Pace } from './pace.js';
import { isWithin } from './roots.js';
import { Route } from './route.js';
import { toEntry } from './to-entry.js';
const SLASH = Buffer.from('/');
/** One walk over configured paths (absolute, sorted, each once), as `files()` promises it. */
export async function* walk(roots, options) {
    const { signal, onProblem } = options;
    const excludes = new Excludes(options.exclude ?? []);
    const shared = { owners: new Owners(), links: new Links(), opener: new Opener(), signal };
    const route = new Route(roots);
    const pace = new Pace();
    for (let stop = route.next(); stop !== undefined; stop = route.next()) {
        if (pace.due)
            await pace.rest();
        signal?.throwIfAborted();
        const { absolute, isRoot } = stop;
        const path = absolute.subarray(1);
        let stat;
        try {
            stat = withPath(absolute, look);
        }
        catch (cause) {
            const failure = toFailure(cause, 'not looked at');
            if (!isExcludedAsAny(stop, excludes))
                report(failure, path, onProblem);
            continue;
        }
        const isDirectory = stat.isDirectory();
        const claims = claimsAt(stop, isDirectory, stat.dev, excludes);
        if (claims.length === 0)
            continue;
        // The root of the file system has no name: what is in it are entries, itself is none.
        if (path.length > 0) {
            let entry;
            let failure = { code: 'skipped', message: 'a socket: there is nothing in it to keep' };
            try {
                entry = toEntry(absolute, stat, shared);
            }
            catch (cause) {
                failure = toFailure(cause, 'not read');
            }
            if (entry === undefined) {
                report(failure, path, onProblem);
                continue;
            }
            yield entry;
            signal?.throwIfAborted();
        }
        if (isRoot && stat.isSymbolicLink()) {
            const failure = leadsElsewhere(absolute, roots);
            if (failure !== undefined)
                report(failure, path, onProblem);
        }
        if (isDirectory) {
            try {
                const frame = await enter(absolute, stat, claims, options);
                if (frame !== undefined)
                    route.enter(frame);
            }
            catch (cause) {
                report(toFailure(cause, 'not listed'), path, onProblem);
            }
        }
    }
}
/** @returns `undefined` when nobody takes what is in this directory. @throws system errors */
async function enter(absolute, stat, claims, { excludeCaches = true, oneFileSystem = false, onProblem }) {
    const onDevice = (device) => oneFileSystem ? claims.filter((claim) => claim.device === device) : claims;
    if (onDevice(stat.dev).length === 0)
        return undefined;
    const listing = await listDirectory(absolute, stat);
    if (listing === undefined) {
        report(replaced('directory'), absolute.subarray(1), onProblem);
        return undefined;
    }
    const { names, device } = listing;
    const prefix = absolute.length === 1 ? absolute : Buffer.concat([absolute, SLASH]);
    const inside = onDevice(device);
    if (inside.length === 0)
        return undefined;
    if (!excludeCaches ||
        !names.includes(CACHE_TAG) ||
        !isCacheTag(Buffer.concat([prefix, Buffer.from(CACHE_TAG)]))) {
        return { prefix, names, claims: inside };
    }
    const named = inside.filter((claim) => claim.root.length === absolute.length);
    return named.length > 0 ? { prefix, names, claims: named } : { prefix, names: [CACHE_TAG], claims: inside };
}
/**
 * A configured path that is a symbolic link is taken as a link. Who meant the tree it leads to must be told: found out
 * at a restore it would be too late.
 */
function leadsElsewhere(absolute, roots) {
    try {
        const real = realpathSync.native(absolute, { encoding: 'buffer' });
        if (roots.some((root) => isWithin(real, root)))
            return undefined;
        return {
            code: 'skipped',
            message: 'a symbolic link, kept as a link: what it leads to needs a path of its own',
        };
    }
    catch (cause) {
        return toFailure(cause, 'a symbolic link to what can not be reached');
    }
}
function look(path) {
    return lstatSync(path, { bigint: true });
}
//# sourceMappingURL=walk.js.map