import type { Readable, Writable } from 'node:stream'
import type { SinkError } from './sink-error.ts'

/** An object as a listing or `head` shows it. */
export interface ObjectInfo {
  readonly key: string
  readonly sizeBytes: number
  /** When the sink stored it, by the sink's own clock. */
  readonly storedAt: Date
  /** In hex, and only where the provider itself computed it from what it holds: what a client has claimed proves nothing. */
  readonly sha256?: string | undefined
}

export interface SinkOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * Called with the size of each piece, in bytes, before it goes out or once it has come in; the next piece waits for what it
   * returns. Deadlines for silence and bandwidth limits hang on it, so pieces are small: 256 KiB at most. Called for 0 bytes where nothing
   * goes but answers, such as when many are deleted.
   */
  readonly onBytes?: ((sizeBytes: number) => Promise<void> | undefined) | undefined
}

export interface PutOptions extends SinkOptions {
  /**
   * Fail with `exists` when the key is taken, instead of replacing its object.
   * Either way an object is seen whole or not at all.
   */
  readonly ifAbsent?: boolean | undefined
  /** Of all the bytes, in hex, where the caller has it already: the sink need not hash them again to have them checked. */
  readonly sha256?: string | undefined
}

export interface ReadOptions extends SinkOptions {
  /** First byte wanted. Default 0. */
  readonly offset?: number | undefined
  /** How many bytes. Default: to the end. */
  readonly length?: number | undefined
  /**
   * Fail with `corrupt` where more than these are to be read, before memory is taken for them: what a sink says of itself must not
   * fill the memory of who asks it.
   */
  readonly maxBytes?: number | undefined
}

/**
 * A place that keeps objects by key. Keys are `/`-separated components of `[a-z0-9._-]`, none of them `.` or `..`
 * or starting with `.`; at most 200 characters; anything else is `refused-key`. No key may be where another's path leads through
 * (`a` and `a/b`): stores with directories can't hold both.
 *
 * What every sink promises, and the suite at `@pipe-backup/sink/conformance` checks:
 * - an object is seen whole or not at all, by reads and listings alike; temporary names never show;
 * - when `put` resolves, or a write stream emits `finish`, the object is durable and readable;
 * - a destroyed write stream, an aborted `put` or a killed process leaves nothing visible;
 * - `put` of the bytes that are there already succeeds; two writers at once leave one of the two objects, whole;
 * - an absent key is `undefined` from `head`, `not-found` from a read, success from `delete`;
 * - what arrived is checked against what was sent, by the provider's own checksum or by reading it back: `corrupt` when it differs;
 * - a range that the object can't fill is `range`; a read that ends early is an error, never a short success;
 * - `list` yields whole keys, every page, in any order;
 * - everything that waits takes a signal, and rejects with its reason when it fires;
 * - every failure is a `SinkError`; nothing is retried inside.
 */
export interface Sink extends AsyncDisposable {
  /** From the configuration; used in every message. */
  readonly name: string
  /** True when deleting may be refused for good (append-only, object lock): a refusal is `forbidden`, not a fault. */
  readonly appendOnly: boolean
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void>
  /** For bytes of unknown length: the object appears at `finish`. */
  createWriteStream(key: string, options?: PutOptions): Writable
  /** @throws SinkError `not-found`, `range` */
  createReadStream(key: string, options?: ReadOptions): Promise<Readable>
  /** The whole object, or a range of it, in memory of its own. @throws SinkError `not-found`, `range` */
  get(key: string, options?: ReadOptions): Promise<Uint8Array>
  head(key: string, options?: SinkOptions): Promise<ObjectInfo | undefined>
  /** Every object whose key starts with `prefix` (a whole component path ending in `/`, or empty for all). */
  list(prefix: string, options?: SinkOptions): AsyncIterable<ObjectInfo>
  delete(key: string, options?: SinkOptions): Promise<void>
  /** Deletes many, in as few requests as the provider can. @returns the keys that are still there, and why: empty when all went well */
  deleteMany(keys: readonly string[], options?: SinkOptions): Promise<ReadonlyMap<string, SinkError>>
  /** How many bytes there is still room for; undefined when there is no limit, or nobody says. */
  freeBytes?(options?: SinkOptions): Promise<number | undefined>
  /**
   * Where what is stored is locked: locks an object again of whose lock less than half is left.
   * @param storedAt - as listed: a younger object is not asked for
   * @returns whether it was
   */
  renewLock?(key: string, storedAt: Date, options?: SinkOptions): Promise<boolean>
}
