import { SinkError, type SinkOptions } from '@pipe-backup/sink'
import { connect, type S3Connection } from './s3-client.ts'
import { isS3Error, statusOf } from './s3-errors.ts'
import type { S3Settings } from './s3-options.ts'
import { aborting } from './s3-reads.ts'

/** The bucket, reached when it is first needed. */
export class S3Bucket {
  readonly settings: S3Settings
  #connection: Promise<S3Connection> | undefined
  #made: Promise<void> | undefined
  #isKnown = false

  constructor(settings: S3Settings) {
    this.settings = settings
  }

  /** An object's place in it, as requests name it. */
  at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.settings.bucket, Key: `${this.settings.prefix}${key}` }
  }

  async open(): Promise<S3Connection> {
    this.#connection ??= connect(this.settings)
    const connection = await this.#connection
    if (this.settings.create) {
      this.#made ??= this.#make(connection)
      try {
        await this.#made
      } catch (error) {
        this.#made = undefined
        throw error
      }
    }
    return connection
  }

  /** A 404 to HEAD does not say of what. @throws NoSuchBucket of the SDK, when it is the bucket that is not there */
  async check(options: SinkOptions): Promise<void> {
    if (this.#isKnown) return
    const { sdk, client } = await this.open()
    try {
      const first = new sdk.ListObjectsV2Command({ Bucket: this.settings.bucket, MaxKeys: 1 })
      await client.send(first, aborting(options))
    } catch (error) {
      // The refusal itself shows that it is there.
      if (statusOf(error) !== 403) throw error
    }
    this.#isKnown = true
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined)
    connection?.close()
  }

  async #make({ sdk, client }: S3Connection): Promise<void> {
    const { bucket, objectLock } = this.settings
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: bucket }))
      return
    } catch (error) {
      // Anything else is said better by the request that is about to be made.
      if (statusOf(error) !== 404) return
    }
    const create = { Bucket: bucket, ObjectLockEnabledForBucket: objectLock && true }
    try {
      await client.send(new sdk.CreateBucketCommand(create))
    } catch (error) {
      if (statusOf(error) === 403)
        throw new SinkError('protocol', 'there is no such bucket, and the user may not make it', {
          sink: this.settings.name,
          hint: 'Make it, or correct `bucket`.',
        })
      if (!isS3Error(error, 'BucketAlreadyOwnedByYou')) throw error
    }
  }
}
