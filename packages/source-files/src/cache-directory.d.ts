export declare const CACHE_TAG = "CACHEDIR.TAG";
/** Whether this file is a valid tag. One that can't be read is none: better a cache too many than a file too few. */
export declare function isCacheTag(absolute: Buffer): boolean;
