/** Beyond this, in either direction, a JavaScript date has no value: 100 million days from the epoch. */
const MAX_SECONDS = 8_640_000_000_000n
const BILLION = 1_000_000_000n
/** Every file system has the times of a signed number of 32 bits: 1901 to 2038. */
const COMMON_NS = 2n ** 31n * BILLION

/**
 * A time as Node's utimes takes it, the nearest that it can take. Whole seconds are exact; of the rest a double holds today's times to a
 * quarter of a microsecond. Node takes a number below zero for now: times before 1970 are dates, exact to the millisecond.
 */
export function toTime(ns: bigint): number | Date {
  if (ns >= MAX_SECONDS * BILLION) return Number(MAX_SECONDS)
  if (ns < -MAX_SECONDS * BILLION) return new Date(-Number(MAX_SECONDS) * 1000)
  if (ns < 0n) return new Date(Number(ns / 1_000_000n))
  return Number(ns / BILLION) + Number(ns % BILLION) / 1e9
}

/** Whether a file system may have another time instead: to be looked at once it is set. */
export function isUncommon(ns: bigint): boolean {
  return ns >= COMMON_NS || ns < -COMMON_NS
}

/** Whether a file's time is the one that `toTime` sets for an entry's. */
export function isSameTime(fileNs: bigint, entryNs: bigint): boolean {
  const difference = fileNs > entryNs ? fileNs - entryNs : entryNs - fileNs
  return difference < (entryNs < 0n ? 1_000_000n : 1000n)
}
