import { createHash } from 'node:crypto'
import type {
  CompletedPart,
  CompleteMultipartUploadCommandOutput,
  HeadObjectCommandOutput,
} from '@aws-sdk/client-s3'
import {
  checkPublished,
  isKey,
  type PutOptions,
  SinkError,
  type SinkOptions,
  slabs,
  type UploadBody,
} from '@pipe-backup/sink'
import { type Algorithm, proofOf, type StoredAnswer } from './digests.ts'
import { MultipartUpload, type SentPart } from './multipart-upload.ts'
import { objectInput } from './object-input.ts'
import type { ObjectLocks } from './object-locks.ts'
import { readsBack } from './read-back.ts'
import type { S3Bucket } from './s3-bucket.ts'
import type { S3Connection } from './s3-client.ts'
import { damaged, isS3Error, refusedHeaders, statusOf, toSinkError, toStoreError } from './s3-errors.ts'
import { aborting, type S3Reads, sending } from './s3-reads.ts'
import type { StoreQuirks } from './store-quirks.ts'

type UploadOptions = PutOptions & { readonly signal: AbortSignal }

/** An upload that has begun. */
interface Begun {
  readonly connection: S3Connection
  readonly key: string
  readonly id: string
  readonly algorithm: Algorithm
  readonly options: UploadOptions
}

const SLAB_BYTES = 256 * 1024
/** How long a request may take that tidies up after one that was given up. */
const TIDY_MS = 5000
/** No stream takes so long: an upload that is as old has been left by a process that was killed. */
const LEFT_MS = 7 * 24 * 60 * 60 * 1000

/** Stores streams, in parts that become an object at the end. */
export class S3Uploads {
  readonly #bucket: S3Bucket
  readonly #reads: S3Reads
  readonly #locks: ObjectLocks
  readonly #quirks: StoreQuirks
  /** Uploads whose parts could not be removed: object's name by upload. */
  readonly #stranded = new Map<string, string>()
  #hasTidied = false

  constructor(bucket: S3Bucket, reads: S3Reads, locks: ObjectLocks, quirks: StoreQuirks) {
    this.#bucket = bucket
    this.#reads = reads
    this.#locks = locks
    this.#quirks = quirks
  }

  async store(key: string, body: UploadBody, options: UploadOptions): Promise<void> {
    const failed = Promise.withResolvers<never>()
    failed.promise.catch(() => undefined)
    const upload = await this.#begin(key, options, failed.reject)
    try {
      // A part that fails is the end at once, also while no more bytes come.
      await Promise.race([feed(upload, body), failed.promise])
      await upload.complete()
    } catch (error) {
      await upload.discard()
      throw error
    }
  }

  /** @param fail - called at once when it has failed */
  async #begin(
    key: string,
    options: UploadOptions,
    fail: (error: unknown) => void,
  ): Promise<MultipartUpload> {
    const connection = await this.#bucket.open()
    await this.#bucket.check(options)
    await this.#tidy(options)
    const { sdk, client } = connection
    const algorithm = this.#quirks.echoesSha256 || connection.isAmazons() ? 'sha256' : 'md5'
    const at = this.#bucket.at(key)
    const create = new sdk.CreateMultipartUploadCommand({
      ...at,
      ...objectInput(this.#bucket.settings),
      ChecksumAlgorithm: algorithm === 'sha256' ? 'SHA256' : undefined,
    })
    return new MultipartUpload({
      connection,
      partBytes: this.#bucket.settings.partBytes,
      algorithm,
      place: this.#place(key),
      create: async () => {
        const { UploadId } = await client
          // An upload that was begun and is not heard of stays: its id comes with the answer.
          .send(create, { abortSignal: later(options.signal, TIDY_MS) })
          .catch((error: unknown) => {
            throw this.#locks.explained(error, key)
          })
        if (UploadId) return UploadId
        throw new SinkError('protocol', 'the store does not name the upload', this.#place(key))
      },
      sendPart: (part) =>
        client
          .send(new sdk.UploadPartCommand({ ...at, ...part }), sending(options))
          .catch((error: unknown) => {
            throw toStoreError(error, this.#place(key))
          }),
      commit: async (id, stored, sent) => {
        const versionId = await this.#commit({ connection, key, id, algorithm, options }, stored, sent)
        await this.#locks.ensure('parts', key, versionId, options)
      },
      abort: async (id) => void (await this.#abort(at.Key, id)),
      fail,
    })
  }

  /** Tries again to remove the parts that could not be removed. */
  async removeStranded(): Promise<void> {
    await Promise.all([...this.#stranded].map(([id, name]) => this.#abort(name, id)))
  }

  /** Removes the parts below the prefix that processes have left which were killed before a time. @returns how many uploads */
  async removeOlder(than: Date, options: SinkOptions = {}): Promise<number> {
    const { sdk, client } = await this.#bucket.open()
    const { bucket: Bucket, prefix: Prefix } = this.#bucket.settings
    let removed = 0
    for (let at: { KeyMarker?: string; UploadIdMarker?: string | undefined } = {}; ; ) {
      const page = await client.send(
        new sdk.ListMultipartUploadsCommand({ Bucket, Prefix, ...at }),
        aborting(options),
      )
      for (const { Key = '', UploadId, Initiated } of page.Uploads ?? []) {
        const isOurs = Key.startsWith(Prefix) && isKey(Key.slice(Prefix.length))
        if (!isOurs || !UploadId || !Initiated || Initiated >= than) continue
        if (await this.#abort(Key, UploadId)) removed++
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
      if (!IsTruncated || !NextKeyMarker) return removed
      at = { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker || undefined }
    }
  }

  /** Once, and no failure of the stream that is about to begin. */
  async #tidy(options: UploadOptions): Promise<void> {
    await this.removeStranded()
    // Without a prefix the bucket may be others' too.
    if (this.#hasTidied || this.#bucket.settings.prefix === '') return
    this.#hasTidied = true
    try {
      await this.removeOlder(new Date(Date.now() - LEFT_MS), options)
    } catch {
      // Some stores don't list uploads, some users may not.
      options.signal.throwIfAborted()
    }
  }

  /** Makes the object visible, and makes sure that it is what was sent. @returns its version, where there are any */
  async #commit(
    begun: Begun,
    stored: readonly CompletedPart[],
    sent: readonly SentPart[],
  ): Promise<string | undefined> {
    const { key, algorithm, options } = begun
    if (options.ifAbsent) await this.#reads.refuseTaken(key, options)
    const digests = createHash(algorithm)
    for (const { digest } of sent) digests.update(digest)
    const whole = digests.digest()
    const proof = (answer: StoredAnswer) =>
      proofOf(answer, (asked) => (asked === algorithm ? whole : undefined), sent.length)
    let answer: StoredAnswer & { readonly VersionId?: string | undefined }
    try {
      answer = await this.#complete(begun, stored)
      const there = await this.#checkThere(begun, answer, sent)
      // Some say the ETag only when they are asked.
      if (!answer.ETag && !answer.ChecksumSHA256) answer = there ?? answer
    } catch (error) {
      // Without an answer it may have been done all the same, and a stream can't be sent again.
      if (!isAmbiguous(error) || options.signal.aborted) throw error
      const seen = await this.#reads.head(key, options).catch(() => undefined)
      if (!seen || proof(seen) !== 'proven') throw error
      answer = seen
    }
    const object = { key, eTag: answer.ETag, parts: sent, algorithm }
    const found = proof(answer)
    const isRight = found === 'unknown' ? await readsBack(this.#reads, object, options) : found === 'proven'
    if (!isRight) throw damaged(this.#place(key))
    return answer.VersionId
  }

  /**
   * Whether the parts have become an object. @returns what the store says of it; undefined where it may not be asked
   * @throws SinkError `protocol`, `corrupt`
   */
  async #checkThere(
    { key, options }: Begun,
    { ETag: completed }: StoredAnswer,
    sent: readonly SentPart[],
  ): Promise<StoredAnswer | undefined> {
    const place = this.#place(key)
    let there: HeadObjectCommandOutput | undefined
    try {
      there = await this.#reads.head(key, options)
    } catch (error) {
      options.signal.throwIfAborted()
      const meaning = toSinkError(error, place)
      if (meaning instanceof SinkError && meaning.code === 'forbidden') return undefined
      throw error
    }
    // Another writer's, who came after: then nothing is known of this one but what the answer proves.
    const isOthers = completed && there?.ETag && there.ETag !== completed
    const sentBytes = sent.reduce((sum, part) => sum + part.sizeBytes, 0)
    if (!isOthers) checkPublished({ ...place, sentBytes, thereBytes: there && (there.ContentLength ?? 0) })
    return isOthers ? undefined : there
  }

  async #complete(
    { connection: { sdk, client }, key, id, options }: Begun,
    stored: readonly CompletedPart[],
  ): Promise<CompleteMultipartUploadCommandOutput> {
    const send = (conditional: boolean) =>
      client.send(
        new sdk.CompleteMultipartUploadCommand({
          ...this.#bucket.at(key),
          UploadId: id,
          MultipartUpload: { Parts: [...stored] },
          IfNoneMatch: conditional ? '*' : undefined,
        }),
        aborting(options),
      )
    const conditional = options.ifAbsent === true && this.#quirks.takesConditionOfParts
    try {
      return await send(conditional)
    } catch (error) {
      const mayLeave = this.#bucket.settings.appendOnly !== true
      if (!conditional || !mayLeave || !refusedHeaders(error)?.condition) throw error
      this.#quirks.takesConditionOfParts = false
      return send(false)
    }
  }

  /** @returns whether it is gone */
  async #abort(name: string, id: string): Promise<boolean> {
    const { sdk, client } = await this.#bucket.open()
    this.#stranded.set(id, name)
    const abort = { Bucket: this.#bucket.settings.bucket, Key: name, UploadId: id }
    try {
      const abortSignal = AbortSignal.timeout(TIDY_MS)
      await client.send(new sdk.AbortMultipartUploadCommand(abort), { abortSignal })
    } catch (error) {
      // What ended the upload may have cut this too: it is tried again, and must not hide the first failure.
      if (!isS3Error(error, 'NoSuchUpload')) return false
    }
    return this.#stranded.delete(id)
  }

  #place(key: string): { readonly sink: string; readonly key: string } {
    return { sink: this.#bucket.settings.name, key }
  }
}

/** In slabs: the SDK keeps each piece until a part is full. */
async function feed(upload: MultipartUpload, body: UploadBody): Promise<void> {
  for await (const slab of slabs(body.unwatched(), SLAB_BYTES)) await upload.write(slab)
}

/** Whether a request may have been done although it failed. */
function isAmbiguous(error: unknown): boolean {
  const status = statusOf(error)
  return status === undefined || status >= 500
}

/** Fires so long after the signal. */
function later(signal: AbortSignal, ms: number): AbortSignal {
  const patience = new AbortController()
  const wait = () => setTimeout(() => patience.abort(signal.reason), ms).unref()
  if (signal.aborted) wait()
  else signal.addEventListener('abort', wait, { once: true })
  return patience.signal
}
