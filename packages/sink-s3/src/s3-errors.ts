import { type FailureMeaning, networkMeaning, retryAfterOf, statusMeaning } from '@pipe-backup/http'
import { SinkError, type SinkErrorCode } from '@pipe-backup/sink'

type Meaning = readonly [SinkErrorCode, string, string?]

const CREDENTIALS =
  'Check `accessKeyId` and `secretAccessKey`, or the profile or environment that they come from.'
const RIGHTS =
  'Check the credentials, and what the policies of bucket and user allow: put, get, list and delete objects.'
const CLOCK = 'Set the clock: run an NTP client.'
const REGION = 'Set `region` to the bucket’s.'
const KEY = 'Check `kmsKeyId`, and that the user may encrypt and decrypt with it.'

const OPTIONS = 'Check the sink’s options: the store may not know one of them.'

const NO_BUCKET: Meaning = ['protocol', 'there is no such bucket', 'Create it, or correct `bucket`.']
const NO_CREDENTIALS: Meaning = ['unauthorized', 'the credentials are not accepted', CREDENTIALS]
const EXPIRED: Meaning = ['unauthorized', 'the credentials have expired', 'Get a new session token.']
const DENIED: Meaning = ['forbidden', 'access denied', RIGHTS]
const THROTTLED: Meaning = ['throttled', 'the store asks to slow down']
const FULL: Meaning = [
  'full',
  'not stored: there is no room left',
  'Free some, or lower `keep`, then run `pipe-backup heal`.',
]
const DAMAGED: Meaning = ['corrupt', 'not stored: what arrived is not what was sent']
const OTHER_REGION: Meaning = ['protocol', 'the bucket is in another region', REGION]

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const NAMED: Readonly<Record<string, Meaning>> = {
  NoSuchKey: ['not-found', 'is not there'],
  NoSuchVersion: ['not-found', 'is not there'],
  NoSuchBucket: NO_BUCKET,
  NoSuchUpload: ['protocol', 'the upload was ended by somebody else'],
  PreconditionFailed: ['exists', 'exists already'],
  ConditionalRequestConflict: ['throttled', 'is being written by another at this moment'],
  OperationAborted: ['throttled', 'is being written by another at this moment'],
  InvalidRange: ['range', 'has no such range'],
  EntityTooLarge: ['too-large', 'is larger than the store takes'],
  KeyTooLongError: ['refused-key', 'is longer than the store takes', 'Shorten `prefix`.'],
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  InsufficientCapacity: FULL,
  InvalidAccessKeyId: NO_CREDENTIALS,
  SignatureDoesNotMatch: NO_CREDENTIALS,
  InvalidClientTokenId: NO_CREDENTIALS,
  UnrecognizedClientException: NO_CREDENTIALS,
  InvalidSecurity: NO_CREDENTIALS,
  InvalidToken: ['unauthorized', 'the session token is not accepted', 'Check `sessionToken`.'],
  NotSignedUp: NO_CREDENTIALS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  CredentialsProviderError: ['unauthorized', 'there are no credentials', CREDENTIALS],
  TokenProviderError: ['unauthorized', 'the single sign-on has ended', 'Sign in again: aws sso login.'],
  RequestTimeTooSkewed: ['unauthorized', 'the clocks of this machine and the store are apart', CLOCK],
  RequestExpired: ['unauthorized', 'the clocks of this machine and the store are apart', CLOCK],
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  MethodNotAllowed: DENIED,
  InvalidObjectState: ['forbidden', 'is in an archive', 'Restore it to a class that can be read at once.'],
  InvalidStorageClass: ['protocol', 'the store does not have this storage class', 'Check `storageClass`.'],
  SlowDown: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  ServiceUnavailable: THROTTLED,
  TooManyRequests: THROTTLED,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  InternalError: ['unreachable', 'the store has failed'],
  RequestTimeout: ['timeout', 'the store has waited in vain for more'],
  IncompleteBody: ['unreachable', 'not all of it arrived'],
  BadDigest: DAMAGED,
  // Swift's, of an object whose parts are not all there.
  BrokenMPU: ['corrupt', 'parts of it are missing'],
  XAmzContentSHA256Mismatch: DAMAGED,
  XAmzContentChecksumMismatch: DAMAGED,
  PermanentRedirect: OTHER_REGION,
  TemporaryRedirect: OTHER_REGION,
  AuthorizationHeaderMalformed: OTHER_REGION,
  IllegalLocationConstraintException: OTHER_REGION,
  InvalidLocationConstraint: ['protocol', 'the store has no such region', REGION],
  BucketAlreadyExists: ['forbidden', 'the bucket belongs to somebody else', 'Choose another name.'],
  InvalidBucketName: ['protocol', 'the bucket’s name is not valid', 'Correct `bucket`.'],
  'KMS.DisabledException': ['forbidden', 'the key to encrypt with is disabled', KEY],
  'KMS.NotFoundException': ['forbidden', 'the key to encrypt with is not there', KEY],
  'KMS.KMSInvalidStateException': ['forbidden', 'the key to encrypt with can’t be used', KEY],
}

/** A map: the store may name anything, `constructor` too. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map(Object.entries(NAMED))

/** What a status says of S3 besides, where the store does not name what went wrong. */
const STATUS: Readonly<Record<number, Meaning>> = {
  301: OTHER_REGION,
  307: OTHER_REGION,
  401: NO_CREDENTIALS,
  403: DENIED,
  405: DENIED,
  409: ['throttled', 'is being changed by another at this moment'],
}

const DOTS = 'Check `endpoint`; a bucket with dots in its name needs `forcePathStyle: true`.'
const STORE = { who: 'the store', address: '`endpoint` and `region`' } as const

export interface ErrorPlace {
  readonly sink: string
  readonly key?: string | undefined
}

/** The one place that knows what the store's and the SDK's errors mean for a sink. What is no failure of theirs is given back as it is. */
export function toSinkError(cause: unknown, place: ErrorPlace): unknown {
  if (!(cause instanceof Error) || cause.name === 'SinkError' || cause.name === 'AbortError') return cause
  const answer = answerOf(cause)
  const [code, what, hint] = meaningOf(cause, answer)
  const retryAfterMs = retryAfterOf(answer.headers['retry-after'])
  return new SinkError(code, what, {
    ...place,
    hint,
    retryAfterMs,
    isPlaceMissing: what === NO_BUCKET[1],
    cause: answer.status === undefined ? cause : withoutSecrets(cause, answer),
  })
}

/**
 * Of a request that stores. Ceph says NoSuchKey where the line was closed before all of the body had come: what is not there yet can't be
 * missed, and the same may be sent again. S3 has 10,000 parts; Swift has 1,000, where its administrator does not say otherwise.
 */
export function toStoreError(cause: unknown, place: ErrorPlace): unknown {
  if (isRefusedPartNumber(cause)) {
    const hint = 'Make `partBytes` larger.'
    return new SinkError('too-large', 'has more parts than the store takes', {
      ...place,
      hint,
      cause: toSinkError(cause, place),
    })
  }
  if (!isS3Error(cause, 'NoSuchKey')) return cause
  return new SinkError('unreachable', 'not all of it arrived', { ...place, cause: toSinkError(cause, place) })
}

function isRefusedPartNumber(cause: unknown): boolean {
  return isS3Error(cause, 'InvalidArgument') && /part ?number/i.test(namedIn(cause))
}

/** The error of one key of many. */
export function keyError(code: string, message: string | undefined, place: ErrorPlace): SinkError {
  const [meant, what, hint] = MEANINGS.get(code) ?? [
    'protocol',
    `not deleted: ${oneLine(`${code} ${message ?? ''}`)}`,
  ]
  return new SinkError(meant, what, { ...place, hint })
}

/** What is stored is not what was sent. */
export function damaged(place: ErrorPlace): SinkError {
  const hint = 'Try again. If it stays so, test the memory of this machine.'
  return new SinkError('corrupt', 'what is stored is not what was sent', { ...place, hint })
}

/** The store's own name for what went wrong, or the SDK's. */
export function isS3Error(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name)
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? answerOf(error).status : undefined
}

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly requestId: string | undefined
}

function answerOf(error: Error): Answer {
  const metadata = field(error, '$metadata')
  const status = field(metadata, 'httpStatusCode') ?? field(field(error, '$response'), 'statusCode')
  const requestId = field(metadata, 'requestId')
  const headers = field(field(error, '$response'), 'headers')
  return {
    status: typeof status === 'number' ? status : undefined,
    headers:
      typeof headers === 'object' && headers !== null ? Object.fromEntries(Object.entries(headers)) : {},
    requestId: typeof requestId === 'string' ? requestId : undefined,
  }
}

function meaningOf(cause: Error, { status, headers }: Answer): Meaning {
  const named = MEANINGS.get(cause.name)
  if (named === OTHER_REGION || (!named && status && STATUS[status] === OTHER_REGION)) {
    const region = headers['x-amz-bucket-region'] ?? field(cause, 'Region') ?? expected(cause.message)
    if (typeof region !== 'string' || !/^[a-z0-9-]+$/.test(region)) return OTHER_REGION
    return ['protocol', `the bucket is in the region ${region}`, `Set \`region: ${region}\`.`]
  }
  if (named) return named
  const special = status === undefined ? undefined : STATUS[status]
  if (special) return special
  const meant = status === undefined ? undefined : statusMeaning(status, STORE)
  if (meant?.code === 'protocol')
    return ['protocol', `the store refuses: ${status} ${oneLine(cause.name)}${said(cause)}`, OPTIONS]
  if (meant) return asTuple(meant)
  const network = networkMeaning(cause, STORE)
  if (network && field(cause, 'code') === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return [network.code, network.what, DOTS]
  if (network) return asTuple(network)
  if (cause.name === 'TimeoutError') return ['timeout', 'the store does not answer']
  if (/region is missing/i.test(cause.message)) return ['protocol', 'there is no region', 'Set `region`.']
  return ['protocol', `the store’s answer makes no sense: ${oneLine(cause.name)}${said(cause)}`]
}

/** AuthorizationHeaderMalformed: … the region 'us-east-1' is wrong; expecting 'eu-west-1'. */
function expected(message: string): string | undefined {
  return /expecting '([a-z0-9-]+)'/.exec(message)?.[1]
}

function asTuple({ code, what, hint }: FailureMeaning): Meaning {
  return hint === undefined ? [code, what] : [code, what, hint]
}

/** The SDK puts all that the store has said on its error, and some stores repeat the session token. */
function withoutSecrets(cause: Error, { status, requestId }: Answer): Error {
  return new Error(`${status} ${cause.name}${requestId === undefined ? '' : ` (request ${requestId})`}`)
}

function said({ message }: Error): string {
  // What the SDK says where the store says nothing.
  return message === '' || message === 'UnknownError' ? '' : `, ${oneLine(message)}`
}

/** Without what may be a key or a token: some stores repeat what they don't like. */
function oneLine(text: string): string {
  const words = text.replace(/[\w+/=-]{16,}/g, (word) => (/[A-Z]/.test(word) ? '…' : word))
  return words.replace(/\s+/g, ' ').slice(0, 200)
}

/** Where a store says which header or argument it does not like. */
function namedIn(error: unknown): string {
  return ['message', 'Header', 'ArgumentName'].map((name) => String(field(error, name))).join(' ')
}

function field(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null ? Reflect.get(from, name) : undefined
}

/**
 * The headers that a store refuses a request for, where it does. One that does not name them may mean any.
 * @returns undefined for any other error
 */
export function refusedHeaders(
  error: unknown,
): { readonly sha256: boolean; readonly condition: boolean } | undefined {
  const status = statusOf(error)
  if (!(error instanceof Error) || (status !== 400 && status !== 501)) return undefined
  const named = namedIn(error)
  const sha256 = /x-amz-checksum|x-amz-sdk-checksum/i.test(named)
  // Swift: "Conditional object PUTs are not supported."
  const condition = /if-none-match|conditional/i.test(named)
  if (sha256 || condition) return { sha256, condition }
  return status === 501 ? { sha256: true, condition: true } : undefined
}
