import { type Sink } from '@pipe-backup/sink';
export interface LocalSinkOptions {
    readonly name: string;
    /** The directory. Relative to the working directory. */
    readonly path: string;
    /**
     * Make the directory when it is missing. Default false: a disk that is not mounted must not be taken for an empty one, and the
     * backups land on the disk that it would be mounted on.
     */
    readonly create?: boolean;
}
/** A directory as a sink: each object a file, durable (fsync of file and directory) before it is visible under its name. */
export declare function localSink(options: LocalSinkOptions): Sink;
