import { constants } from 'node:buffer'
import { Readable, type Writable } from 'node:stream'
import { checkInfo } from './check-info.ts'
import { checkKey, isKey } from './check-key.ts'
import { checkMaxBytes } from './check-max-bytes.ts'
import type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkOptions } from './sink.ts'
import { SinkError } from './sink-error.ts'
import { bodyOf, type UploadBody, UploadWritable } from './upload-writable.ts'

/** Bytes of an object on their way. */
export interface ObjectRange {
  /** How many there will be; undefined where that shows at the end. Who does not say it gives `get` besides. */
  readonly sizeBytes: number | undefined
  readonly pieces: AsyncIterable<Uint8Array>
  /** Lets go of what they come from, for who does not read to the end. */
  readonly close?: (() => void) | undefined
}

/**
 * What a provider knows: its protocol, and nothing else. Keys have been checked, signals looked at, and what is thrown is translated; it
 * retries nothing, and watches for no idle.
 */
export interface SinkProvider {
  readonly name: string
  readonly appendOnly: boolean
  /** Stores an object: whole or not at all, checked, and undone when it fails. The signal also fires when a stream is destroyed. */
  upload(key: string, body: UploadBody, options: PutOptions): Promise<void>
  /** @param range - `offset` and `length` as they are wanted; who gives others fails @throws SinkError `not-found`, `range` */
  read(key: string, range: ReadOptions): Promise<ObjectRange>
  /** The same in memory, where that is less work than `read`. It calls `onBytes` itself. @param range - also `maxBytes` */
  get?(key: string, range: ReadOptions): Promise<Uint8Array>
  head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined>
  /** Every object below a folder, which has no `/` at its end; the empty one is all. What has no key is left out by the driver. */
  list(folder: string, options: SinkOptions): AsyncIterable<ObjectInfo>
  /** What is not there is deleted. @returns the keys that are still there, and why */
  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>>
  /** What an error of the protocol means. What is none is given back as it is. */
  toSinkError(cause: unknown, key?: string): unknown
  freeBytes?(options: SinkOptions): Promise<number | undefined>
  /** As `Sink.renewLock`. */
  renewLock?(key: string, storedAt: Date, options: SinkOptions): Promise<boolean>
  close?(): Promise<void>
}

export interface DriverOptions {
  /** A stream that has ended by then is uploaded like a `put`, from memory. Default 8 MiB. */
  readonly heldBytes?: number | undefined
}

const HELD_BYTES = 8 * 1024 * 1024

/** A sink from what a provider knows. */
export function createSink(provider: SinkProvider, { heldBytes = HELD_BYTES }: DriverOptions = {}): Sink {
  const { name, appendOnly } = provider
  const run = async <T>(
    key: string | undefined,
    { signal }: SinkOptions,
    work: () => Promise<T>,
  ): Promise<T> => {
    if (key !== undefined) checkKey(key, name)
    signal?.throwIfAborted()
    try {
      return await work()
    } catch (cause) {
      signal?.throwIfAborted()
      throw provider.toSinkError(cause, key)
    }
  }
  const open = async (key: string, options: ReadOptions): Promise<ObjectRange> => {
    const range = await provider.read(key, options)
    try {
      checkMaxBytes(range.sizeBytes ?? 0, options.maxBytes, { sink: name, key })
      return range
    } catch (error) {
      range.close?.()
      throw error
    }
  }
  return {
    name,
    appendOnly,
    put: (key, bytes, options = {}) =>
      run(key, options, () => provider.upload(key, bodyOf(bytes, options), options)),
    createWriteStream(key, options = {}): Writable {
      checkKey(key, name)
      return new UploadWritable({
        ...options,
        heldBytes,
        upload: (body, signal) => provider.upload(key, body, { ...options, signal }),
        translate: (cause) => (options.signal?.aborted ? cause : provider.toSinkError(cause, key)),
      })
    },
    createReadStream: (key, options = {}) =>
      run(key, options, async () => {
        const range = await open(key, options)
        const counted = countedPieces(range, { sink: name, key }, options)
        const translated = translating(counted, (cause) => provider.toSinkError(cause, key), options)
        const stream = Readable.from(translated, { objectMode: false, highWaterMark: 256 * 1024 })
        // One that is destroyed before it is read never runs its generator.
        return stream.once('close', () => range.close?.())
      }),
    get: (key, options = {}) =>
      run(key, options, async () => {
        if (provider.get) return await provider.get(key, options)
        const range = await open(key, options)
        try {
          return await collect(range, { sink: name, key }, options)
        } finally {
          range.close?.()
        }
      }),
    head: (key, options = {}) =>
      run(key, options, async () => {
        const info = await provider.head(key, options)
        return info && checkInfo(info, name)
      }),
    async *list(prefix, options = {}) {
      const folder = prefix.replace(/\/$/, '')
      if (folder !== '') checkKey(folder, name)
      options.signal?.throwIfAborted()
      const listed = translating(
        provider.list(folder, options),
        (cause) => provider.toSinkError(cause),
        options,
      )
      for await (const info of listed) if (isKey(info.key)) yield checkInfo(info, name)
    },
    delete: async (key, options = {}) => {
      const failed = await run(key, options, () => provider.remove([key], options))
      for (const error of failed.values()) throw error
    },
    deleteMany: (keys, options = {}) => {
      for (const key of keys) checkKey(key, name)
      return run(undefined, options, () => provider.remove(keys, options))
    },
    freeBytes: (options = {}) => run(undefined, options, async () => await provider.freeBytes?.(options)),
    renewLock: (key, storedAt, options = {}) =>
      run(key, options, async () => (await provider.renewLock?.(key, storedAt, options)) ?? false),
    async [Symbol.asyncDispose]() {
      await provider.close?.()
    },
  }
}

async function* translating<T>(
  items: AsyncIterable<T>,
  translate: (cause: unknown) => unknown,
  { signal }: SinkOptions,
): AsyncGenerator<T> {
  try {
    yield* items
  } catch (cause) {
    signal?.throwIfAborted()
    throw translate(cause)
  }
}

interface Place {
  readonly sink: string
  readonly key: string
}

/** As many bytes as were announced, or an error; each piece reported to onBytes. */
async function* countedPieces(
  { sizeBytes, pieces: coming }: ObjectRange,
  place: Place,
  { onBytes, signal }: SinkOptions,
): AsyncGenerator<Uint8Array> {
  let got = 0
  for await (const piece of coming) {
    got += piece.length
    if (sizeBytes !== undefined && got > sizeBytes)
      throw new SinkError('protocol', `is longer than announced: ${sizeBytes} bytes`, place)
    await onBytes?.(piece.length)
    signal?.throwIfAborted()
    yield piece
  }
  if (sizeBytes !== undefined && got < sizeBytes)
    throw new SinkError('unreachable', `ended after ${got} of ${sizeBytes} bytes`, place)
}

async function collect(range: ObjectRange, place: Place, options: SinkOptions): Promise<Uint8Array> {
  const { sizeBytes } = range
  if (sizeBytes === undefined) throw new TypeError('a provider that does not know sizes has a `get`')
  if (sizeBytes > constants.MAX_LENGTH)
    throw new SinkError('too-large', `has ${sizeBytes} bytes: read it as a stream`, place)
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  let at = 0
  for await (const piece of countedPieces(range, place, options)) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** @throws SinkError `range` where an object does not have what is wanted of it @returns how many bytes are */
export function rangeLength(
  sizeBytes: number,
  { offset = 0, length = sizeBytes - offset }: ReadOptions,
  place: Place,
): number {
  if (offset >= 0 && length >= 0 && offset + length <= sizeBytes) return length
  throw new SinkError('range', `has ${sizeBytes} bytes, wanted ${length} from ${offset}`, place)
}
