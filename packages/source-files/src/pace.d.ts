/** Cuts synchronous work into slices, between which timers and sockets have their turn. */
export declare class Pace {
    #private;
    /** True when a slice is full: then `rest` is to be awaited. Apart, for a promise per entry would cost more than it. */
    get due(): boolean;
    rest(): Promise<void>;
}
