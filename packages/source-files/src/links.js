/** Which files with several names have been met. Holds those only, and each only until its last name was met. */
export class Links {
    #firsts = new Map();
    /** The path under which this file came earlier; else `undefined`, and from now on it is `path`. */
    earlier(stat, path) {
        const key = keyOf(stat);
        const first = this.#firsts.get(key);
        if (first === undefined) {
            this.#firsts.set(key, { path: Uint8Array.from(path), left: stat.nlink - 1n });
            return undefined;
        }
        first.left -= 1n;
        if (first.left <= 0n)
            this.#firsts.delete(key);
        return first.path;
    }
    /** The first name could not be read: the next name is to be a file of its own. */
    forget(key) {
        this.#firsts.delete(key);
    }
}
/** The time of birth tells a file from a later one that was given the number of a deleted one. */
export function keyOf(stat) {
    return `${stat.dev}.${stat.ino}.${stat.birthtimeNs}`;
}
//# sourceMappingURL=links.js.map