import { Readable } from 'node:stream'
import type { GetObjectRetentionCommand, GetObjectRetentionCommandInput } from '@aws-sdk/client-s3'
import { SinkError, type SinkOptions } from '@pipe-backup/sink'
import { CONTENT_TYPE, objectInput } from './object-input.ts'
import type { S3Bucket } from './s3-bucket.ts'
import { isS3Error, statusOf } from './s3-errors.ts'
import { aborting } from './s3-reads.ts'

/** How an object came: a store may keep the lock that one kind of request asks for, and pass over that of the other. */
export type Way = 'put' | 'parts'

const DAY_MS = 24 * 60 * 60 * 1000
/** What stores say of a bucket whose objects can't be locked, or of an object that is not. */
const NO_LOCKS = [
  'InvalidRequest',
  'InvalidBucketState',
  'NoSuchObjectLockConfiguration',
  'ObjectLockConfigurationNotFoundError',
]

/** Makes sure that what is to be locked is: Ceph 16 takes the headers of an object in parts, says nothing, and does not lock it. */
export class ObjectLocks {
  readonly #bucket: S3Bucket
  /** Ways whose objects have been seen to be locked. */
  readonly #kept = new Set<Way>()

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket
  }

  /**
   * Looks at the first object that came in a way, and locks it where the store has not: then each one that comes so.
   * @throws SinkError `protocol`, when it can't be locked
   */
  async ensure(way: Way, key: string, versionId: string | undefined, options: SinkOptions): Promise<void> {
    const { settings } = this.#bucket
    if (!settings.objectLock || this.#kept.has(way)) return
    const object = { ...this.#bucket.at(key), VersionId: versionId }
    if ((await this.#lockedUntil(key, object, options)) !== undefined) {
      this.#kept.add(way)
      return
    }
    await this.#lock(key, object, options)
  }

  /** As `Sink.renewLock`. @throws SinkError `protocol`, when it can't be locked */
  async renew(key: string, storedAt: Date, options: SinkOptions): Promise<boolean> {
    const { objectLock } = this.#bucket.settings
    if (!objectLock) return false
    const halfMs = (objectLock.days * DAY_MS) / 2
    if (Date.now() - storedAt.getTime() < halfMs) return false
    const object = this.#bucket.at(key)
    const until = await this.#lockedUntil(key, object, options)
    if (until && until.getTime() - Date.now() > halfMs) return false
    await this.#lock(key, object, options)
    return true
  }

  async #lock(key: string, object: GetObjectRetentionCommandInput, options: SinkOptions): Promise<void> {
    const { sdk, client } = await this.#bucket.open()
    const { ObjectLockMode: Mode, ObjectLockRetainUntilDate: RetainUntilDate } = objectInput(
      this.#bucket.settings,
    )
    try {
      const lock = new sdk.PutObjectRetentionCommand({ ...object, Retention: { Mode, RetainUntilDate } })
      await client.send(lock, aborting(options))
    } catch (error) {
      throw this.explained(error, key)
    }
  }

  /** What is to be thrown for a request that asked for a lock. */
  explained(error: unknown, key: string): unknown {
    if (!this.#bucket.settings.objectLock || !isS3Error(error, ...NO_LOCKS)) return error
    return this.#locksNone(key)
  }

  #locksNone(key: string): SinkError {
    return new SinkError('protocol', 'the bucket locks no objects', {
      sink: this.#bucket.settings.name,
      key,
      hint: 'Enable Object Lock on the bucket, or leave `objectLock` out.',
    })
  }

  /** @returns undefined of one that is not locked @throws SinkError `protocol`, when the store has no locks */
  async #lockedUntil(
    key: string,
    object: GetObjectRetentionCommandInput,
    options: SinkOptions,
  ): Promise<Date | undefined> {
    const { sdk, client } = await this.#bucket.open()
    try {
      const ask = new sdk.GetObjectRetentionCommand(object)
      refuseObjects(ask.middlewareStack, () => this.#locksNone(key))
      const { Retention: retention } = await client.send(ask, aborting(options))
      return retention?.Mode === undefined ? undefined : (retention.RetainUntilDate ?? new Date(0))
    } catch (error) {
      // Who may not look has to believe it, and locks again what was stored long ago.
      if (statusOf(error) === 403) return new Date(0)
      if (isS3Error(error, ...NO_LOCKS)) return undefined
      throw error
    }
  }
}

/**
 * A store that has no locks may pass over what is asked and give the object itself, as Swift does. It would take the lock for an
 * object, too, and put it in the place of the one that is to be locked: it must not be asked to.
 */
function refuseObjects(stack: GetObjectRetentionCommand['middlewareStack'], failure: () => SinkError): void {
  stack.add(
    (next) => async (args) => {
      const answer = await next(args)
      const { body, type } = answered(answer.response)
      if (type !== CONTENT_TYPE) return answer
      if (body instanceof Readable) body.destroy()
      throw failure()
    },
    { step: 'deserialize', priority: 'low', name: 'refuseObjects' },
  )
}

function answered(response: unknown): { readonly type?: unknown; readonly body?: unknown } {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return {}
  const { headers } = response
  if (typeof headers !== 'object' || headers === null) return {}
  return { type: Reflect.get(headers, 'content-type'), body: Reflect.get(response, 'body') }
}
