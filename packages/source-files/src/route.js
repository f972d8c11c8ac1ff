import { comparePaths } from '@pipe-backup/source';
const NONE = [];
/**
 * Where a walk goes next: into the directories entered last, and to the configured paths, all in the order of
 * comparePaths. A configured path that the walk of an outer one has passed by comes at its place in that order.
 * The names of the directories on the way down are all that is remembered of the tree.
 */
export class Route {
    #roots;
    #frames = [];
    #nextRoot = 0;
    /** @param roots - absolute, sorted, each once */
    constructor(roots) {
        this.#roots = roots;
    }
    /** To be called at the stop which is that directory, if at all. */
    enter(frame) {
        this.#frames.push({ frame, next: 0 });
    }
    next() {
        const root = this.#roots[this.#nextRoot];
        let top = this.#frames.at(-1);
        while (top !== undefined) {
            const { frame, next } = top;
            const name = frame.names[next];
            if (name !== undefined) {
                const absolute = join(frame.prefix, name);
                const order = root === undefined ? 1 : comparePaths(root, absolute);
                if (order < 0)
                    break;
                top.next++;
                if (order === 0)
                    this.#nextRoot++;
                return { absolute, nameAt: frame.prefix.length, isRoot: order === 0, claims: frame.claims };
            }
            this.#frames.pop();
            top = this.#frames.at(-1);
        }
        if (root === undefined)
            return undefined;
        this.#nextRoot++;
        return { absolute: root, nameAt: root.length, isRoot: true, claims: NONE };
    }
}
function join(prefix, name) {
    const path = Buffer.allocUnsafe(prefix.length + name.length);
    path.set(prefix);
    path.write(name, prefix.length, "latin1");
    return path;
}
//# sourceMappingURL=route.js.map