import type { Entry } from '@pipe-backup/source';
import type { FilesOptions } from './files.ts';
/** One walk over configured paths (absolute, sorted, each once), as `files()` promises it. */
export declare function walk(roots: readonly Buffer[], options: FilesOptions): AsyncGenerator<Entry, void, undefined>;
