import type { Sink } from '../sink.ts'

/** What a check is given beside the sink. */
export interface CheckSettings {
  /** How many objects a long listing has. */
  readonly listed: number
  /** How many of them are there already, the first ones of `manyObjects`. Default none. */
  readonly there?: number | undefined
  /** How many of the others are put at a time. */
  readonly putsAtOnce: number
  /** The largest object, in bytes. */
  readonly largestBytes: number
  /** Whether `ifAbsent` is kept. */
  readonly ifAbsent: boolean
  /** Whether the server removes an object before it puts another in its place: a read may fail then. Default false. */
  readonly replacesInTwoSteps?: boolean | undefined
}

/** Rejects when the promise is broken. `open` gives the sink, on an empty place, again at each call. */
export type Check = (sink: Sink, settings: CheckSettings) => Promise<void>
