import type { Excludes } from './excludes.ts';
import type { Claim, Stop } from './route.ts';
/**
 * Who takes what is at this stop: the outer configured paths whose patterns do not exclude it, and itself if it is one.
 * @returns what they claim in it, should it be a directory; empty when nobody takes it
 */
export declare function claimsAt(stop: Stop, isDirectory: boolean, device: bigint, excludes: Excludes): readonly Claim[];
/** Whether it is excluded, be it a directory or not: for what can't even be looked at. */
export declare function isExcludedAsAny(stop: Stop, excludes: Excludes): boolean;
