import { Writable } from 'node:stream';
import type { ObjectFile } from './write-object.ts';
export interface ObjectWritableOptions {
    create(): Promise<ObjectFile>;
    readonly ifAbsent: boolean;
    translate(error: unknown): unknown;
    readonly signal?: AbortSignal;
}
/** Commits in `final`, undoes in `destroy`: a destroyed stream leaves nothing visible. */
export declare class ObjectWritable extends Writable {
    #private;
    constructor(options: ObjectWritableOptions);
    _construct(done: (error?: Error | null) => void): void;
    _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void;
    _final(done: (error?: Error | null) => void): void;
    _destroy(error: Error | null, done: (error?: Error | null) => void): void;
}
