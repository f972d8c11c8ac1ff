/** Opens files for reading, without touching their access time where that is allowed. */
export declare class Opener {
    #private;
    /** @throws system errors, as openSync does */
    open(absolute: Buffer, uid: number): number;
}
