import type { FanOutLane } from './fan-out-lane.ts'

/** A lane that moves this much gets its items through at once: there is nothing to be gained by turns. */
const FAST_BYTES_PER_SECOND = 16_000_000
/** A lane that moves this much loses much of its time between two items: it writes several at once. Slower ones have most to lose by a cut. */
const SEVERAL_BYTES_PER_SECOND = 4_000_000
/** How long a number of lanes is measured. */
const TICK_MS = 5_000
/** One lane more, or less, must change what is carried by this part to make a difference. */
const DIFFERENCE = 0.1
/** With so much less than before, or before with so much less than now, something has changed. */
const CHANGED = 0.7
/** How long a number of lanes is kept before another is tried again, in ticks. */
const HOLD_TICKS = 12

type Lane = Pick<FanOutLane<unknown>, 'writing' | 'written' | 'isReady' | 'bytesPerSecond'>

/**
 * Decides whose item goes next where lanes are slow, and may share one uplink. Items that go at once are all late; one after the other,
 * the first lanes have theirs early. Nobody can see which lanes share a line, so it is measured: a further lane writes beside
 * the others only if more is carried with it than without. The first item of each goes at once: whether it is slow is not known yet.
 */
export class Turns {
  readonly #lanes: readonly Lane[]
  /** How many slow lanes may write at once. */
  #slots = 1
  /** What `#slots` lanes have carried, in bytes a second. */
  #carried = 0
  /** Tried: one lane more, or less, than has been measured. */
  #trial: 1 | 0 | -1 = 0
  #held = 0
  #tries = 0
  #bytes = 0
  #since: number

  constructor(lanes: readonly Lane[], now: number) {
    this.#lanes = lanes
    this.#since = now
  }

  add(lane: Lane, sizeBytes: number, now: number): void {
    if (!isFaster(lane, FAST_BYTES_PER_SECOND, now)) this.#bytes += sizeBytes
  }

  /** Whether this lane may begin its next item now. Lanes that come first are to be asked first. */
  admits(lane: Lane, now: number): boolean {
    if (isFaster(lane, FAST_BYTES_PER_SECOND, now)) return true
    return lane.writing === 0 ? this.#hasSlot(lane, now) : this.#hasSecond(lane, now)
  }

  /** To be called now and then. @returns whether lanes that wait may begin */
  tick(now: number): boolean {
    if (this.#writing(now) !== this.#slots) {
      // Others than are to be measured: items from before are still on their way, or nobody waits.
      this.#restart(now)
      return true
    }
    const elapsedMs = now - this.#since
    if (elapsedMs < TICK_MS) return false
    this.#conclude((this.#bytes * 1000) / elapsedMs)
    this.#restart(now)
    return true
  }

  #hasSlot(lane: Lane, now: number): boolean {
    return lane.written === 0 || this.#writing(now) < this.#slots
  }

  /** The items of one lane at once are worth it between two of them, and where no other lane could take the place. */
  #hasSecond(lane: Lane, now: number): boolean {
    if (isFaster(lane, SEVERAL_BYTES_PER_SECOND, now)) return true
    return (
      this.#slots > this.#writing(now) && this.#lanes.every((other) => !other.isReady || other.writing > 0)
    )
  }

  #conclude(rate: number): void {
    const before = this.#carried
    const isMore = rate > before * (1 + DIFFERENCE)
    const isLess = rate < before * (1 - DIFFERENCE)
    if (this.#trial === 1 && !isMore) this.#settle(-1, before)
    else if (this.#trial === -1 && isLess) this.#settle(1, before)
    else if (this.#trial === 1 || rate < before * CHANGED || rate * CHANGED > before) this.#try(1, rate)
    else if (this.#trial === -1) this.#try(-1, Math.max(rate, before))
    else if (++this.#held >= HOLD_TICKS)
      this.#try(++this.#tries % 2 === 0 || this.#slots === 1 ? 1 : -1, rate)
    else this.#carried = Math.max(rate, before * (1 - DIFFERENCE / HOLD_TICKS))
  }

  /** Measures another number of lanes, where there is one. */
  #try(step: 1 | -1, carried: number): void {
    this.#carried = carried
    const slots = this.#slots + step
    if (slots < 1 || slots > this.#lanes.length) return this.#settle(0, carried)
    this.#slots = slots
    this.#trial = step
  }

  #settle(step: 1 | 0 | -1, carried: number): void {
    this.#slots += step
    this.#carried = carried
    this.#trial = 0
    this.#held = 0
  }

  #restart(now: number): void {
    this.#bytes = 0
    this.#since = now
  }

  /** Slow lanes that are writing. */
  #writing(now: number): number {
    return this.#lanes.filter((lane) => lane.writing > 0 && !isFaster(lane, FAST_BYTES_PER_SECOND, now))
      .length
  }
}

/** Known only when an item has arrived: until then it may all be in some buffer. */
function isFaster(lane: Lane, bytesPerSecond: number, now: number): boolean {
  return lane.written > 0 && (lane.bytesPerSecond(now) ?? 0) >= bytesPerSecond
}
