import {
  createSink,
  isKey,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  removeEach,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import { deleteObjects, KEYS_AT_ONCE } from './delete-objects.ts'
import { ObjectLocks } from './object-locks.ts'
import { S3Bucket } from './s3-bucket.ts'
import { isS3Error, statusOf, toSinkError } from './s3-errors.ts'
import { checkOptions, type S3SinkOptions } from './s3-options.ts'
import { aborting, S3Reads } from './s3-reads.ts'
import { S3Uploads } from './s3-uploads.ts'
import { S3Writes } from './s3-writes.ts'
import { unseenQuirks } from './store-quirks.ts'

/**
 * A bucket of Amazon S3 or of a store that speaks its language, or what is below a prefix of it. The SDK is loaded with the first request.
 * @throws TypeError when an option can't be
 */
export function s3Sink(options: S3SinkOptions): Sink {
  const provider = new S3Provider(options)
  // What is one part is none.
  return createSink(provider, { heldBytes: provider.partBytes })
}

class S3Provider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean
  readonly partBytes: number
  readonly #bucket: S3Bucket
  readonly #reads: S3Reads
  readonly #locks: ObjectLocks
  readonly #writes: S3Writes
  readonly #uploads: S3Uploads

  constructor(options: S3SinkOptions) {
    const settings = checkOptions(options)
    this.name = settings.name
    this.appendOnly = settings.objectLock !== undefined || settings.appendOnly === true
    this.partBytes = settings.partBytes
    this.#bucket = new S3Bucket(settings)
    this.#reads = new S3Reads(this.#bucket)
    this.#locks = new ObjectLocks(this.#bucket)
    const quirks = unseenQuirks()
    this.#writes = new S3Writes(this.#bucket, this.#reads, this.#locks, quirks)
    this.#uploads = new S3Uploads(this.#bucket, this.#reads, this.#locks, quirks)
  }

  async upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    const { appendOnly, replaceable = [] } = this.#bucket.settings
    const isKept = appendOnly === true && !replaceable.some((prefix) => key.startsWith(prefix))
    if (!isKept || options.ifAbsent) return await this.#store(key, body, options)
    try {
      await this.#store(key, body, { ...options, ifAbsent: true })
    } catch (error) {
      if (!(error instanceof SinkError) || error.code !== 'exists') throw error
      if (body.bytes && (await this.#writes.holds(key, body.bytes, options))) return
      const what = 'is another object, and `appendOnly` lets none be replaced'
      throw new SinkError('forbidden', what, { sink: this.name, key, cause: error })
    }
  }

  async #store(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    if (body.bytes) return await this.#writes.put(key, body.bytes, options)
    const { signal = new AbortController().signal } = options
    await this.#uploads.store(key, body, { ...options, signal })
  }

  read(key: string, { offset, length, signal }: ReadOptions): Promise<ObjectRange> {
    return this.#reads.open(key, { offset, length, signal })
  }

  head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    return this.#reads.info(key, options)
  }

  renewLock(key: string, storedAt: Date, options: SinkOptions): Promise<boolean> {
    return this.#locks.renew(key, storedAt, options)
  }

  async *list(folder: string, options: SinkOptions): AsyncGenerator<ObjectInfo> {
    const prefix = folder === '' ? '' : `${folder}/`
    for (let token: string | undefined; ; ) {
      const { Contents: objects = [], ...page } = await this.#page(prefix, token, options)
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

  async remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    const [only = ''] = keys
    if (keys.length === 1) {
      await this.#removeOne(only, options)
      return new Map()
    }
    const failed = new Map<string, SinkError>()
    for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
      const some = keys.slice(from, from + KEYS_AT_ONCE)
      const left =
        (await deleteObjects(this.#bucket, some, options)) ??
        (await removeEach(this, some, (key) => this.#removeOne(key, options), options))
      for (const [key, error] of left) failed.set(key, error)
      await options.onBytes?.(0)
    }
    return failed
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, { sink: this.name, key })
  }

  async close(): Promise<void> {
    await this.#uploads.removeStranded()
    await this.#bucket.close()
  }

  async #removeOne(key: string, options: SinkOptions): Promise<void> {
    const { sdk, client } = await this.#bucket.open()
    try {
      await client.send(new sdk.DeleteObjectCommand(this.#bucket.at(key)), aborting(options))
    } catch (error) {
      // To Amazon what is not there is deleted; not to everybody.
      if (statusOf(error) !== 404 || isS3Error(error, 'NoSuchBucket')) throw error
    }
  }

  async #page(prefix: string, token: string | undefined, options: SinkOptions) {
    const { sdk, client } = await this.#bucket.open()
    const request = new sdk.ListObjectsV2Command({
      Bucket: this.#bucket.settings.bucket,
      Prefix: `${this.#bucket.settings.prefix}${prefix}`,
      // Names that XML can't hold would break the listing.
      EncodingType: 'url',
      ContinuationToken: token,
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
}

/** Of the URL encoding of listings: a blank is `+` or `%20`. */
function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
