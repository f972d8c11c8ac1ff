/** How long what is stored can't be deleted, by whoever. */
export interface ObjectLock {
  /** `governance` can be lifted by who has the right to; `compliance` by nobody, the account's owner included. */
  readonly mode: 'governance' | 'compliance'
  /** Each object, from when it is stored. */
  readonly days: number
}

export interface S3SinkOptions {
  readonly name: string
  readonly bucket: string
  /** Where the keys are below, as in a path. Default: the bucket itself. */
  readonly prefix?: string | undefined
  /** Of the bucket. Default: that of the profile or the environment; `us-east-1` with an `endpoint`. */
  readonly region?: string | undefined
  /** The URL of a store that is not Amazon's. */
  readonly endpoint?: string | undefined
  /** The bucket in the path, not in the host's name. Default: with an `endpoint`. */
  readonly forcePathStyle?: boolean | undefined
  /** With `secretAccessKey`. Default: the SDK's chain: environment, profile, SSO, web identity, container, instance. */
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  /** With both keys, where they are temporary. */
  readonly sessionToken?: string | undefined
  /** Of `~/.aws/config` and `~/.aws/credentials`, instead of keys. */
  readonly profile?: string | undefined
  /** Such as `STANDARD_IA`. Classes that must be thawed before they can be read (`GLACIER`, `DEEP_ARCHIVE`) make no sink. */
  readonly storageClass?: string | undefined
  /** Of a bucket that was made for it. */
  readonly objectLock?: ObjectLock | undefined
  /**
   * Each object is stored with `If-None-Match: *`, as a policy of the bucket may want (`s3:if-none-match`): none is replaced, and what the same bytes
   * are in already is stored. Default false.
   */
  readonly appendOnly?: boolean | undefined
  /** With `appendOnly`: what has a key that begins so is replaced all the same, and stored without the condition. */
  readonly replaceable?: readonly string[] | undefined
  /** What the store encrypts with, beside what is encrypted already. Default: what the bucket says. */
  readonly serverSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined
  /** Of the KMS; `serverSideEncryption` is `aws:kms` then. */
  readonly kmsKeyId?: string | undefined
  /** Make the bucket when it is missing. Default false: a name that was mistyped must not become a new bucket. */
  readonly create?: boolean | undefined
  /** Of a stream's parts, four of which are in memory; a stream has 10,000 at most. Default 16 MiB; from 5 MiB to 1 GiB. */
  readonly partBytes?: number | undefined
}

const MIB = 1024 * 1024
const PART_BYTES = 16 * MIB
/** The smallest part that S3 takes, save the last. */
const MIN_PART_BYTES = 5 * MIB
/** It takes 5 GiB; memory does not. */
const MAX_PART_BYTES = 1024 * MIB
/** Hours pass before what is in them can be read. */
const FROZEN: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])
const COMPONENT = /^(?!\.{1,2}$)[^/]+$/

/** What the options say, with their defaults, checked. */
export interface S3Settings extends S3SinkOptions {
  /** Empty, or ending in `/`. */
  readonly prefix: string
  readonly partBytes: number
}

/** @throws TypeError that names the option */
export function checkOptions(options: S3SinkOptions): S3Settings {
  const { bucket, endpoint, objectLock, accessKeyId, secretAccessKey, sessionToken } = options
  const { partBytes = PART_BYTES, serverSideEncryption, kmsKeyId, profile, storageClass } = options
  const prefix = (options.prefix ?? '').replace(/^\/+|\/+$/g, '')
  if (!COMPONENT.test(bucket)) fail('bucket', 'must be a name')
  if (prefix !== '' && !prefix.split('/').every((part) => COMPONENT.test(part)))
    fail('prefix', 'must be a path')
  if (endpoint !== undefined && !isHttpUrl(endpoint)) fail('endpoint', 'must be a URL: https://host[:port]')
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
    fail('accessKeyId', 'and `secretAccessKey` belong together')
  if (sessionToken !== undefined && accessKeyId === undefined) fail('sessionToken', 'needs `accessKeyId`')
  if (profile !== undefined && accessKeyId !== undefined)
    fail('profile', 'and `accessKeyId`: one or the other')
  if (storageClass !== undefined && FROZEN.has(storageClass))
    fail('storageClass', `must be one that can be read at once: not ${storageClass}`)
  if (objectLock && !(Number.isInteger(objectLock.days) && objectLock.days > 0))
    fail('objectLock.days', 'must be a whole number from 1')
  if (kmsKeyId !== undefined && serverSideEncryption === 'AES256')
    fail('kmsKeyId', 'needs `serverSideEncryption: aws:kms`')
  if (!(Number.isInteger(partBytes) && partBytes >= MIN_PART_BYTES && partBytes <= MAX_PART_BYTES))
    fail('partBytes', 'must be from 5 MiB to 1 GiB')
  return { ...options, prefix: prefix === '' ? '' : `${prefix}/`, partBytes }
}

function fail(option: string, what: string): never {
  throw new TypeError(`s3: \`${option}\` ${what}`)
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
