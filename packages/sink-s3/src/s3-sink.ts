import { constants } from 'node:buffer'
import type { Readable, Writable } from 'node:stream'
import {
  checkKey,
  deleteEach,
  isKey,
  type ObjectInfo,
  type PutOptions,
  type ReadOptions,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkTraits,
} from '@pipe-backup/sink'
import { deleteObjects, KEYS_AT_ONCE } from './delete-objects.ts'
import { ObjectLocks } from './object-locks.ts'
import { ObjectWritable } from './object-writable.ts'
import { S3Bucket } from './s3-bucket.ts'
import { isS3Error, statusOf, toSinkError } from './s3-errors.ts'
import { checkOptions, type S3SinkOptions } from './s3-options.ts'
import { aborting, S3Reads } from './s3-reads.ts'
import { S3Uploads } from './s3-uploads.ts'
import { MAX_PUT_BYTES, S3Writes } from './s3-writes.ts'
import { unseenHabits } from './store-habits.ts'

/**
 * A bucket of Amazon S3 or of a store that speaks its language, or what is below a prefix of it. The SDK is loaded with the first request.
 * @throws TypeError when an option can't be
 */
export function s3Sink(options: S3SinkOptions): Sink {
  return new S3Sink(options)
}

class S3Sink implements Sink {
  readonly name: string
  readonly traits: SinkTraits
  readonly #bucket: S3Bucket
  readonly #reads: S3Reads
  readonly #writes: S3Writes
  readonly #uploads: S3Uploads

  constructor(options: S3SinkOptions) {
    const settings = checkOptions(options)
    this.name = settings.name
    this.traits = { maxObjectBytes: MAX_PUT_BYTES, appendOnly: settings.objectLock !== undefined }
    this.#bucket = new S3Bucket(settings)
    this.#reads = new S3Reads(this.#bucket)
    const locks = new ObjectLocks(this.#bucket)
    const habits = unseenHabits()
    this.#writes = new S3Writes(this.#bucket, this.#reads, locks, habits)
    this.#uploads = new S3Uploads(this.#bucket, this.#reads, locks, habits)
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#do(key, options, () => this.#writes.put(key, bytes, options))
  }

  createWriteStream(key: string, options: PutOptions = {}): Writable {
    checkKey(key, this.name)
    return new ObjectWritable({
      ...(options.signal && { signal: options.signal }),
      partBytes: this.#bucket.settings.partBytes,
      put: (bytes, signal) => this.#writes.put(key, bytes, { ...options, signal }),
      begin: (signal, fail) => this.#uploads.begin(key, { ...options, signal }, fail),
      translate: (error) => toSinkError(error, { sink: this.name, key }),
    })
  }

  createReadStream(key: string, options: ReadOptions = {}): Promise<Readable> {
    return this.#do(key, options, async () => (await this.#reads.open(key, options)).stream)
  }

  get(key: string, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.#do(key, options, async () => {
      const { stream, sizeBytes } = await this.#reads.open(key, options)
      if (sizeBytes > constants.MAX_LENGTH) {
        stream.destroy()
        throw new SinkError('too-large', `has ${sizeBytes} bytes: read it as a stream`, {
          sink: this.name,
          key,
        })
      }
      const bytes = Buffer.allocUnsafeSlow(sizeBytes)
      let at = 0
      for await (const piece of stream as AsyncIterable<Buffer>) at += piece.copy(bytes, at)
      return bytes
    })
  }

  head(key: string, options: SinkOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#do(key, options, () => this.#reads.info(key, options))
  }

  async *list(prefix: string, options: SinkOptions = {}): AsyncGenerator<ObjectInfo> {
    if (prefix !== '') checkKey(prefix.replace(/\/$/, ''), this.name)
    for (let token: string | undefined; ; ) {
      const { Contents: objects = [], ...page } = await this.#do(undefined, options, () =>
        this.#page(prefix, token, options),
      )
      // What is no listing, whoever has answered, must not mean that there is nothing.
      if (page.IsTruncated === undefined && page.Name === undefined)
        throw new SinkError('protocol', 'the store’s answer is no listing', { sink: this.name })
      for (const { Key, Size, LastModified } of objects) {
        const key = this.#keyOf(Key, page.EncodingType === 'url')
        if (key === undefined) continue
        if (Size === undefined || !LastModified)
          throw new SinkError('protocol', 'listed without size or date', { sink: this.name, key })
        yield { key, sizeBytes: Size, storedAt: LastModified }
      }
      if (!page.IsTruncated) return
      // A listing that is short and does not say so would let `prune` and `heal` do harm.
      if (!page.NextContinuationToken || page.NextContinuationToken === token)
        throw new SinkError('protocol', 'the store does not go on with its listing', { sink: this.name })
      token = page.NextContinuationToken
    }
  }

  delete(key: string, options: SinkOptions = {}): Promise<void> {
    return this.#do(key, options, async () => {
      const { sdk, client } = await this.#bucket.open()
      try {
        await client.send(new sdk.DeleteObjectCommand(this.#bucket.at(key)), aborting(options))
      } catch (error) {
        // To Amazon what is not there is deleted; not to everybody.
        if (statusOf(error) !== 404 || isS3Error(error, 'NoSuchBucket')) throw error
      }
    })
  }

  async deleteMany(
    keys: readonly string[],
    options: SinkOptions = {},
  ): Promise<ReadonlyMap<string, SinkError>> {
    for (const key of keys) checkKey(key, this.name)
    const failed = new Map<string, SinkError>()
    for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
      const some = keys.slice(from, from + KEYS_AT_ONCE)
      const request = () => deleteObjects(this.#bucket, some, options)
      const left = (await this.#do(undefined, options, request)) ?? (await deleteEach(this, some, options))
      for (const [key, error] of left) failed.set(key, error)
      await options.onBytes?.(0)
    }
    return failed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#uploads.removeStranded()
    await this.#bucket.close()
  }

  async #page(prefix: string, token: string | undefined, options: SinkOptions) {
    const { sdk, client } = await this.#bucket.open()
    const request = new sdk.ListObjectsV2Command({
      Bucket: this.#bucket.settings.bucket,
      Prefix: `${this.#bucket.settings.prefix}${prefix}`,
      // Names that XML can't hold would break the listing.
      EncodingType: 'url',
      ...(token !== undefined && { ContinuationToken: token }),
    })
    return client.send(request, aborting(options))
  }

  /** @returns undefined for what is not ours */
  #keyOf(listed = '', isEncoded: boolean): string | undefined {
    const { prefix } = this.#bucket.settings
    const name = isEncoded ? decoded(listed) : listed
    const key = name?.slice(prefix.length)
    return name?.startsWith(prefix) && key !== undefined && isKey(key) ? key : undefined
  }

  async #do<T>(key: string | undefined, { signal }: SinkOptions, work: () => Promise<T>): Promise<T> {
    if (key !== undefined) checkKey(key, this.name)
    signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      throw toSinkError(error, { sink: this.name, key })
    }
  }
}

/** Of the URL encoding of listings: a blank is `+` or `%20`. */
function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
