import { setImmediate } from 'node:timers/promises';
/** How long other work may have to wait. */
const SLICE_MS = 10;
/** Cuts synchronous work into slices, between which timers and sockets have their turn. */
export class Pace {
    #sinceMs = performance.now();
    /** True when a slice is full: then `rest` is to be awaited. Apart, for a promise per entry would cost more than it. */
    get due() {
        return performance.now() - this.#sinceMs > SLICE_MS;
    }
    async rest() {
        await setImmediate();
        this.#sinceMs = performance.now();
    }
}
//# sourceMappingURL=pace.js.map