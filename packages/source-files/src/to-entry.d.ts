import { type BigIntStats } from 'node:fs';
import type { Entry } from '@pipe-backup/source';
import { type Walk } from './walked-file.ts';
/**
 * What was found at a path as an entry; `undefined` for a socket, which exists only while its program runs.
 * @throws system errors: a symbolic link may have vanished since
 */
export declare function toEntry(absolute: Buffer, stat: BigIntStats, walk: Walk): Entry | undefined;
