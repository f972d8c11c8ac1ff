import { type FailureCode, isPassing } from '@pipe-backup/http'

/**
 * Why a sink could not do what was asked.
 * - `not-found`, `exists`, `refused-key`, `range`: about the object that was named;
 * - `full`, `too-large`: no room; `unauthorized`: who are you; `forbidden`: not allowed;
 * - `throttled`, `unreachable`, `timeout`: may pass by itself, worth another try;
 * - `protocol`: the sink answered what it should not; `corrupt`: the bytes are not those that were sent.
 */
export type SinkErrorCode = FailureCode | 'refused-key' | 'corrupt'

/** Of the sink as a whole, whichever object a request was about: the message is the same for each, and is given once. */
const OF_THE_SINK: ReadonlySet<SinkErrorCode> = new Set([
  'throttled',
  'unreachable',
  'timeout',
  'unauthorized',
  'full',
])

/** `packs/… is not there`, and `packs/…: the server refused it`. */
const BEGINS_WITH_VERB = /^(?:is|has|was|became|can|could|exists|ended|does|did)\b/

export interface SinkErrorOptions {
  /** The sink's name in the configuration. */
  readonly sink: string
  readonly key?: string | undefined
  /** What to do about it, a sentence. */
  readonly hint?: string | undefined
  /** How long the server asked us to wait. */
  readonly retryAfterMs?: number | undefined
  /** What the sink is in, a directory or a bucket, is not there: a sink that is opened to make it does so. */
  readonly isPlaceMissing?: boolean | undefined
  readonly cause?: unknown
}

/** A failure of a sink. Recognised by `code`, never by its text or `instanceof`. */
export class SinkError extends Error {
  override readonly name = 'SinkError'
  readonly code: SinkErrorCode
  readonly sink: string
  readonly key: string | undefined
  readonly hint: string | undefined
  readonly retryAfterMs: number | undefined
  readonly isPlaceMissing: boolean

  /** @param what - what did not happen and why, without sink and key: they are put in front, the key where it is the object's failure, as the subject of `what` where that has none. */
  constructor(code: SinkErrorCode, what: string, options: SinkErrorOptions) {
    const isOfObject = options.key !== undefined && !OF_THE_SINK.has(code)
    const where = isOfObject ? ` ${options.key}${BEGINS_WITH_VERB.test(what) ? '' : ':'}` : ''
    super(`sink "${options.sink}":${where} ${what}`, { cause: options.cause })
    this.code = code
    this.sink = options.sink
    this.key = options.key
    this.hint = options.hint
    this.retryAfterMs = options.retryAfterMs
    this.isPlaceMissing = options.isPlaceMissing ?? false
  }

  /** Whether the same request may succeed later without anybody doing anything. */
  get retryable(): boolean {
    // A place that is missing was not made yet, or has lost its disk: somebody has to act.
    return isPassing(this.code) && !this.isPlaceMissing
  }
}
