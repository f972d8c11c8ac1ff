import type { PutObjectCommandInput, PutObjectCommandOutput } from '@aws-sdk/client-s3'
import { type PutOptions, SinkError } from '@pipe-backup/sink'
import { Digests, proofOf } from './digests.ts'
import { objectInput } from './object-input.ts'
import type { ObjectLocks } from './object-locks.ts'
import { readsBack } from './read-back.ts'
import type { S3Bucket } from './s3-bucket.ts'
import { damaged, refusedHeaders, toStoreError } from './s3-errors.ts'
import { type S3Reads, sending } from './s3-reads.ts'
import type { StoreQuirks } from './store-quirks.ts'

/** The most that one PutObject takes. */
const MAX_PUT_BYTES: number = 5 * 1024 ** 3

/** Stores objects in one request each, and makes sure that what is stored is what was sent. */
export class S3Writes {
  readonly #bucket: S3Bucket
  readonly #reads: S3Reads
  readonly #locks: ObjectLocks
  readonly #quirks: StoreQuirks

  constructor(bucket: S3Bucket, reads: S3Reads, locks: ObjectLocks, quirks: StoreQuirks) {
    this.#bucket = bucket
    this.#reads = reads
    this.#locks = locks
    this.#quirks = quirks
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<void> {
    const place = { sink: this.#bucket.settings.name, key }
    if (bytes.length > MAX_PUT_BYTES)
      throw new SinkError('too-large', `has ${bytes.length} bytes: a put takes 5 GiB`, place)
    if (options.ifAbsent) await this.#reads.refuseTaken(key, options)
    const sent = new Digests(bytes, options.sha256)
    const answer = await this.#send(key, bytes, sent, options)
    if (answer.ChecksumSHA256 !== undefined) this.#quirks.echoesSha256 = true
    const proof = proofOf(answer, (algorithm) => sent[algorithm])
    const parts = () => [{ sizeBytes: bytes.length, digest: sent.sha256 }]
    const object = () => ({ key, eTag: answer.ETag, parts: parts(), algorithm: 'sha256' as const })
    const isRight = proof === 'unknown' ? await readsBack(this.#reads, object(), options) : proof === 'proven'
    if (!isRight) throw damaged(place)
    await this.#locks.ensure('put', key, answer.VersionId, options)
  }

  /** Whether there is an object of these bytes already. */
  holds(key: string, bytes: Uint8Array, options: PutOptions): Promise<boolean> {
    const { sha256: digest } = new Digests(bytes, options.sha256)
    const parts = [{ sizeBytes: bytes.length, digest }]
    return readsBack(this.#reads, { key, eTag: undefined, parts, algorithm: 'sha256' }, options)
  }

  async #send(
    key: string,
    bytes: Uint8Array,
    sent: Digests,
    options: PutOptions,
  ): Promise<PutObjectCommandOutput> {
    const { sdk, client } = await this.#bucket.open()
    const { ifAbsent = false } = options
    const quirks = this.#quirks
    for (let { takesSha256, takesCondition } = quirks; ; ) {
      const headers: Partial<PutObjectCommandInput> = {
        ChecksumSHA256: takesSha256 ? sent.sha256.toString('base64') : undefined,
        ContentMD5: quirks.echoesSha256 ? undefined : sent.md5.toString('base64'),
        IfNoneMatch: ifAbsent && takesCondition ? '*' : undefined,
      }
      const object = { ...this.#bucket.at(key), ...objectInput(this.#bucket.settings) }
      try {
        const put = new sdk.PutObjectCommand({ ...object, ...headers, Body: bytes })
        const answer = await client.send(put, sending(options))
        quirks.takesSha256 = takesSha256
        quirks.takesCondition = takesCondition
        return answer
      } catch (error) {
        const refused = refusedHeaders(error)
        const leaveSha256 = takesSha256 && refused?.sha256 === true
        const mayLeave = this.#bucket.settings.appendOnly !== true
        const leaveCondition = takesCondition && ifAbsent && mayLeave && refused?.condition === true
        if (!leaveSha256 && !leaveCondition) {
          const place = { sink: this.#bucket.settings.name, key }
          throw toStoreError(this.#locks.explained(error, key), place)
        }
        takesSha256 &&= !leaveSha256
        takesCondition &&= !leaveCondition
      }
    }
  }
}
