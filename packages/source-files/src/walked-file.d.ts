import { type BigIntStats } from 'node:fs';
import type { EntryReader, FileEntry, FileIdentity } from '@pipe-backup/source';
import { type Links } from './links.ts';
import type { Opener } from './opener.ts';
import type { Owners } from './owners.ts';
/** What the entries of one walk share. */
export interface Walk {
    readonly owners: Owners;
    readonly links: Links;
    readonly opener: Opener;
    readonly signal: AbortSignal | undefined;
}
/** A regular file as the walk saw it. A class, so that a hundred thousand of them share one `open`. */
export declare class WalkedFile implements FileEntry {
    #private;
    readonly type: 'file';
    readonly path: Uint8Array;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly user: string;
    readonly group: string;
    readonly mtimeNs: bigint;
    readonly size: number;
    readonly identity: FileIdentity;
    readonly sparse: boolean;
    constructor(absolute: Buffer, path: Uint8Array, stat: BigIntStats, walk: Walk);
    /**
     * As `FileEntry.open`. Only the very file that was listed is opened: other bytes under this entry's owner and mode
     * could show a secret to someone who may not read it.
     * @throws SourceError `vanished` when it is gone or something else is in its place, `unreadable`
     */
    open(): EntryReader;
}
