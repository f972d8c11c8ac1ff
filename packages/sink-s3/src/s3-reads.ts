import { Readable } from 'node:stream'
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { parseContentRange, sizeBehind } from '@pipe-backup/http'
import {
  type ObjectInfo,
  type ObjectRange,
  type ReadOptions,
  SinkError,
  type SinkOptions,
} from '@pipe-backup/sink'
import type { S3Bucket } from './s3-bucket.ts'
import { type ErrorPlace, isS3Error, statusOf } from './s3-errors.ts'

/** An object that is being read. */
export interface OpenObject extends ObjectRange {
  readonly eTag: string | undefined
}

/** HEAD and GET. Errors are the SDK's, but for what the store did not say. */
export class S3Reads {
  readonly #bucket: S3Bucket
  readonly #sink: string

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket
    this.#sink = bucket.settings.name
  }

  async info(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    const answer = await this.head(key, options)
    if (!answer) return undefined
    const { ContentLength: sizeBytes, LastModified: storedAt, ChecksumSHA256, ChecksumType } = answer
    if (sizeBytes === undefined || !storedAt)
      throw new SinkError('protocol', 'the store does not say its size or date', this.#place(key))
    // That of an object of parts is a hash of hashes.
    const isWhole = ChecksumSHA256 !== undefined && ChecksumType === 'FULL_OBJECT'
    const sha256 = isWhole ? Buffer.from(ChecksumSHA256, 'base64').toString('hex') : undefined
    return { key, sizeBytes, storedAt, sha256 }
  }

  async head(key: string, options: SinkOptions): Promise<HeadObjectCommandOutput | undefined> {
    const { sdk, client } = await this.#bucket.open()
    const request = new sdk.HeadObjectCommand({ ...this.#bucket.at(key), ChecksumMode: 'ENABLED' })
    try {
      return await client.send(request, aborting(options))
    } catch (error) {
      if (statusOf(error) === 404) {
        await this.#bucket.check(options)
        return undefined
      }
      throw await this.#explained(error, key, options)
    }
  }

  /**
   * Amazon's condition holds by itself. Others may not know it, or only for some requests, and say nothing: asked before, the rest is a moment.
   * @throws SinkError `exists`
   */
  async refuseTaken(key: string, options: SinkOptions): Promise<void> {
    const store = await this.#bucket.open()
    if (store.isAmazons()) return
    let taken: boolean
    try {
      taken = (await this.head(key, options)) !== undefined
    } catch (error) {
      // It was the first request, and the user may not read: the condition is enough.
      if (store.isAmazons() && statusOf(error) === 403) return
      throw error
    }
    if (taken) throw new SinkError('exists', 'exists already', this.#place(key))
  }

  async open(key: string, options: ReadOptions): Promise<OpenObject> {
    const { offset = 0, length } = options
    if (!isSize(offset) || !(length === undefined || isSize(length)))
      throw new SinkError('range', `${length} bytes from ${offset} are no range`, this.#place(key))
    if (length === 0) return this.#nothing(key, options)
    const { sdk, client } = await this.#bucket.open()
    const last = length === undefined ? '' : offset + length - 1
    const isWhole = offset === 0 && length === undefined
    const range = isWhole ? undefined : `bytes=${offset}-${last}`
    try {
      const answer = await client.send(
        new sdk.GetObjectCommand({ ...this.#bucket.at(key), Range: range }),
        aborting(options),
      )
      const { Body: body, ContentLength: sizeBytes, ContentRange, ETag: eTag } = answer
      if (!(body instanceof Readable) || sizeBytes === undefined)
        throw new SinkError('protocol', 'the store does not say how long it is', this.#place(key))
      try {
        if (!isWhole) await this.#checkRange(key, sizeBytes, ContentRange, options)
      } catch (error) {
        body.destroy()
        throw error
      }
      return { pieces: body as AsyncIterable<Uint8Array>, sizeBytes, eTag, close: () => void body.destroy() }
    } catch (error) {
      if (statusOf(error) === 416) return this.#nothing(key, options)
      throw error
    }
  }

  /** No byte of an object, which must be there and reach that far, or end there when all that follows is wanted. */
  async #nothing(key: string, { offset = 0, length, ...options }: ReadOptions): Promise<OpenObject> {
    const info = await this.info(key, options)
    if (!info) throw new SinkError('not-found', 'is not there', this.#place(key))
    const { sizeBytes } = info
    const isNothing = length === undefined ? offset === sizeBytes : length === 0 && offset <= sizeBytes
    if (!isNothing) throw this.#tooShort(key, sizeBytes, offset, length)
    return { pieces: (async function* () {})(), sizeBytes: 0, eTag: undefined }
  }

  /** A store gives what it has of a range that is too long, and one that knows no ranges gives all. */
  async #checkRange(
    key: string,
    sizeBytes: number,
    contentRange: string | undefined,
    { offset = 0, length, ...options }: ReadOptions,
  ): Promise<void> {
    const range = parseContentRange(contentRange)
    const wantedEnd = length === undefined ? undefined : offset + length
    const ask = async () => (await this.info(key, options))?.sizeBytes
    const size = range && (await sizeBehind(range, wantedEnd, ask))
    if (size !== undefined && offset + (length ?? 0) > size) throw this.#tooShort(key, size, offset, length)
    const end = wantedEnd ?? size
    if (range?.from === offset && range.end === end && sizeBytes === end - offset) return
    const given = contentRange ?? `all ${sizeBytes} bytes`
    throw new SinkError('protocol', `the store gives another range: ${given}`, this.#place(key))
  }

  #tooShort(key: string, sizeBytes: number, offset: number, length: number | undefined): SinkError {
    const wanted = length === undefined ? 'those' : String(length)
    return new SinkError('range', `has ${sizeBytes} bytes, wanted ${wanted} from ${offset}`, this.#place(key))
  }

  /** An answer to HEAD has no body that could say what is wrong: GET asks once more. */
  async #explained(error: unknown, key: string, options: SinkOptions): Promise<unknown> {
    const status = statusOf(error)
    if (status === undefined || status < 300 || status >= 500 || isS3Error(error, 'NoSuchBucket'))
      return error
    const { sdk, client } = await this.#bucket.open()
    try {
      const request = new sdk.GetObjectCommand({ ...this.#bucket.at(key), Range: 'bytes=0-0' })
      const { Body: body } = await client.send(request, aborting(options))
      if (body instanceof Readable) body.destroy()
      return error
    } catch (explained) {
      return statusOf(explained) === status ? explained : error
    }
  }

  #place(key: string): ErrorPlace & { readonly key: string } {
    return { sink: this.#sink, key }
  }
}

export function aborting({ signal }: SinkOptions): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}

/** For requests with a body that is watched. */
export function sending(options: SinkOptions): {
  readonly abortSignal?: AbortSignal
  readonly onBytes?: SinkOptions['onBytes'] | undefined
} {
  return { ...aborting(options), onBytes: options.onBytes }
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
