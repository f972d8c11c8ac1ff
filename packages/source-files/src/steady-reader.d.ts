import { type BigIntStats } from 'node:fs';
import type { EntryReader, Reading } from '@pipe-backup/source';
/** Reads an open file once, and says at the end whether it held still. */
export declare class SteadyReader implements EntryReader {
    #private;
    /**
     * @param fd - open; the reader closes it.
     * @param before - what `fstat` said when it was opened.
     * @param startedMs - the time before that.
     * @param path - the entry's, for errors.
     */
    constructor(fd: number, before: BigIntStats, startedMs: number, path: Uint8Array, signal?: AbortSignal);
    /**
     * As `EntryReader.read`. At most the size that the file had when it was opened, so that a log that grows as fast
     * as it is read comes to an end; `finish` then tells that it grew. A size of 0 may be a file of /proc: all that comes.
     * @throws RangeError when `into` is empty
     */
    read(into: Uint8Array): number | Promise<number>;
    finish(): Reading;
    close(): void | Promise<void>;
}
