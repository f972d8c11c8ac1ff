/**
 * A change in the same tick of the clock as the one before it leaves the same stamp. So a stamp of this very moment
 * proves nothing: the file can be changed once more, and look the same for ever. (git calls this "racily clean".)
 * The clock is this machine's: a file server whose clock is behind or ahead by more has no such shelter.
 */

/** A kernel stamps changes with the time of its last tick: at most 10 ms ago (HZ=100). */
const KERNEL_TICK_MS = 10
/** How old a stamp must be to be believed for ever: we allow for more. */
const TICK_MS = 50
/** The coarsest stamps in use: whole seconds (old ext, HFS+), two of them (FAT). */
const COARSE_TICK_MS = 2_000

/** Whether a change after `nowMs` (milliseconds since the epoch) is sure to leave another stamp: for a later run to rely on. */
export function isTelling(stampNs: bigint, nowMs: number): boolean {
  return nowMs - toMs(stampNs) > (isCoarse(stampNs) ? COARSE_TICK_MS : TICK_MS)
}

/**
 * Whether a change between `nowMs` and the end of a reading would leave the same stamp. That of a file system which
 * counts in seconds is believed: to wait for it would make each such file one that never holds still.
 */
export function mayHideChange(stampNs: bigint, nowMs: number): boolean {
  return Math.abs(nowMs - toMs(stampNs)) <= 2 * KERNEL_TICK_MS && !isCoarse(stampNs)
}

/** How long to wait until the stamp is conclusive, in milliseconds; 0 when it is, or when it is of a time to come. */
export function msUntilTelling(stampNs: bigint, nowMs: number): number {
  const ageMs = nowMs - toMs(stampNs)
  return ageMs > TICK_MS || ageMs < -TICK_MS ? 0 : TICK_MS + 1 - ageMs
}

function toMs(stampNs: bigint): number {
  return Number(stampNs / 1_000_000n)
}

function isCoarse(stampNs: bigint): boolean {
  return stampNs % 1_000_000_000n === 0n
}
