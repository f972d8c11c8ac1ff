import { inspect } from 'node:util'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { SinkError } from '@pipe-backup/sink'
import { expect, test } from 'vitest'
import { keyError, refusedHeaders, toSinkError, toStoreError } from './s3-errors.ts'

const PLACE = { sink: 'cloud', key: 'packs/ab/abcd' }

/** As the SDK throws it: with all that the store has said. */
function answered(name: string, status: number, more: object = {}, headers: object = {}): Error {
  const options = { name, $fault: 'client', $metadata: { httpStatusCode: status, requestId: 'r1' } } as const
  const $response = { statusCode: status, headers, body: undefined }
  return Object.assign(new S3ServiceException(options), { $response }, more)
}

function translated(cause: unknown): SinkError {
  const error = toSinkError(cause, PLACE)
  if (!(error instanceof SinkError)) throw new TypeError(`not a SinkError: ${inspect(error)}`)
  return error
}

test.for([
  ['NoSuchKey', 404, 'not-found'],
  ['NoSuchBucket', 404, 'protocol'],
  ['PreconditionFailed', 412, 'exists'],
  ['ConditionalRequestConflict', 409, 'throttled'],
  ['InvalidRange', 416, 'range'],
  ['EntityTooLarge', 400, 'too-large'],
  ['KeyTooLongError', 400, 'refused-key'],
  ['QuotaExceeded', 403, 'full'],
  ['InvalidAccessKeyId', 403, 'unauthorized'],
  ['SignatureDoesNotMatch', 403, 'unauthorized'],
  ['ExpiredToken', 400, 'unauthorized'],
  ['InvalidToken', 400, 'unauthorized'],
  ['RequestTimeTooSkewed', 403, 'unauthorized'],
  ['AccessDenied', 403, 'forbidden'],
  ['MethodNotAllowed', 405, 'forbidden'],
  ['InvalidObjectState', 403, 'forbidden'],
  ['KMS.DisabledException', 400, 'forbidden'],
  ['InvalidStorageClass', 400, 'protocol'],
  ['SlowDown', 503, 'throttled'],
  ['RequestTimeout', 400, 'timeout'],
  ['InternalError', 500, 'unreachable'],
  ['BadDigest', 400, 'corrupt'],
  ['XAmzContentSHA256Mismatch', 400, 'corrupt'],
  ['BrokenMPU', 409, 'corrupt'],
  ['InvalidRequest', 412, 'exists'],
  ['NoNameYouKnow', 401, 'unauthorized'],
  ['NoNameYouKnow', 403, 'forbidden'],
  ['NoNameYouKnow', 404, 'not-found'],
  ['NoNameYouKnow', 408, 'timeout'],
  ['NoNameYouKnow', 413, 'too-large'],
  ['NoNameYouKnow', 418, 'protocol'],
  ['NoNameYouKnow', 429, 'throttled'],
  ['NoNameYouKnow', 500, 'unreachable'],
  ['NoNameYouKnow', 502, 'unreachable'],
  ['NoNameYouKnow', 503, 'throttled'],
  ['NoNameYouKnow', 501, 'protocol'],
  ['NoNameYouKnow', 504, 'timeout'],
  ['NoNameYouKnow', 507, 'full'],
] as const)('%s with %i is %s', ([name, status, code]) => {
  expect(translated(answered(name, status))).toMatchObject({ code, ...PLACE })
})

test.for([
  ['ECONNRESET', 'unreachable'],
  ['EPIPE', 'unreachable'],
  ['ECONNREFUSED', 'unreachable'],
  ['ENOTFOUND', 'unreachable'],
  ['EAI_AGAIN', 'unreachable'],
  ['ETIMEDOUT', 'timeout'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'unauthorized'],
  ['CERT_HAS_EXPIRED', 'unauthorized'],
  ['CERT_NOT_YET_VALID', 'unauthorized'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'unauthorized'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'protocol'],
  ['HPE_INVALID_CONSTANT', 'protocol'],
] as const)('%s is %s, in one line', ([code, meant]) => {
  const error = translated(Object.assign(new Error('first line\nsecond line'), { code }))
  expect(error.code).toBe(meant)
  expect(error.message).not.toContain('\n')
})

test.for([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate of the store is not trusted', 'NODE_EXTRA_CA_CERTS'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate of the store is not trusted', 'NODE_EXTRA_CA_CERTS'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificate of the store is not trusted', 'NODE_EXTRA_CA_CERTS'],
  ['CERT_NOT_YET_VALID', 'certificate of the store is not valid yet', 'clock'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate of the store is for another name', 'forcePathStyle'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no secure connection', 'endpoint'],
] as const)('of TLS %s says what is wrong, and what to do', ([code, what, hint]) => {
  const error = translated(Object.assign(new Error('unable to verify'), { code }))
  expect(error.message).toContain(what)
  expect(error.hint).toContain(hint)
})

test('the region where the bucket is comes out of what the store says, wherever it says it', () => {
  const wanted = { code: 'protocol', hint: 'Set `region: eu-west-1`.' }
  const said = { 'x-amz-bucket-region': 'eu-west-1' }
  expect(translated(answered('PermanentRedirect', 301, {}, said))).toMatchObject(wanted)
  expect(translated(answered('UnknownError', 301, {}, said))).toMatchObject(wanted)
  const message = "the region 'us-east-1' is wrong; expecting 'eu-west-1'"
  expect(translated(answered('AuthorizationHeaderMalformed', 400, { message }))).toMatchObject(wanted)
  expect(translated(answered('PermanentRedirect', 301)).hint).toContain('region')
})

test('how long to wait is what the store says, in seconds or until a date', () => {
  const wait = (header: string) =>
    translated(answered('SlowDown', 503, {}, { 'retry-after': header })).retryAfterMs
  expect(wait('7')).toBe(7000)
  expect(wait(new Date(Date.now() + 60_000).toUTCString())).toBeGreaterThan(50_000)
  expect(wait(new Date(0).toUTCString())).toBe(0)
  expect(wait('soon')).toBeUndefined()
})

test('nothing of what the store repeats comes along: it may be a secret', () => {
  const secret = 'AQoDYXdzEJr-secret'
  const message = `The provided token ${secret} is malformed`
  for (const name of ['InvalidToken', 'SignatureDoesNotMatch', 'NoNameYouKnow', 'InvalidArgument']) {
    const error = translated(answered(name, 400, { message, 'Token-0': secret, StringToSign: secret }))
    expect(inspect(error, { depth: 10, showHidden: true }), name).not.toContain(secret)
  }
})

test('the request has a number that the store can be asked about', () => {
  expect(translated(answered('AccessDenied', 403)).cause).toMatchObject({
    message: '403 AccessDenied (request r1)',
  })
})

test('an abort and what has been translated are let through', () => {
  for (const error of [new DOMException('aborted', 'AbortError'), new SinkError('full', 'full', PLACE)])
    expect(toSinkError(error, { sink: 'other' })).toBe(error)
})

test('the error of one key of many is that of a request', () => {
  expect(keyError('AccessDenied', 'Access Denied', PLACE)).toMatchObject({ code: 'forbidden', ...PLACE })
  expect(keyError('InternalError', undefined, PLACE).retryable).toBe(true)
  expect(keyError('Whatever', 'some\nreason', PLACE).message).toContain('Whatever some reason')
})

test('an upload of more parts than the store takes is too large, and the hint says what to do', () => {
  const message = 'Part number must be an integer between 1 and 1000, inclusive'
  const refused = answered('InvalidArgument', 400, { message, ArgumentName: 'partNumber' })
  const tooLarge = { code: 'too-large', hint: 'Make `partBytes` larger.', ...PLACE }
  expect(toStoreError(refused, PLACE)).toMatchObject(tooLarge)
  const other = answered('InvalidArgument', 400, { ArgumentName: 'x-amz-tagging' })
  expect(toStoreError(other, PLACE)).toBe(other)
})

test('headers that a store refuses are those that it names, or any', () => {
  const both = { sha256: true, condition: true }
  const named = (Header: string) => refusedHeaders(answered('NotImplemented', 501, { Header }))
  expect(named('If-None-Match')).toEqual({ sha256: false, condition: true })
  expect(named('x-amz-checksum-sha256')).toEqual({ sha256: true, condition: false })
  expect(named('')).toEqual(both)
  const bySwift = { message: 'Conditional object PUTs are not supported.' }
  expect(refusedHeaders(answered('NotImplemented', 501, bySwift))).toEqual({ sha256: false, condition: true })
  expect(
    refusedHeaders(answered('InvalidArgument', 400, { message: 'x-amz-sdk-checksum-algorithm' }))?.sha256,
  ).toBe(true)
  for (const [name, status] of [
    ['BadDigest', 400],
    ['AccessDenied', 403],
    ['SlowDown', 503],
  ] as const)
    expect(refusedHeaders(answered(name, status)), name).toBeUndefined()
  expect(refusedHeaders(new Error('ECONNRESET'))).toBeUndefined()
})

test.for(['constructor', '__proto__', 'toString'])(
  'an error that a store calls %s has no meaning',
  (name) => {
    expect(translated(answered(name, 400)).message).toContain(`the store refuses: 400 ${name}`)
    expect(keyError(name, undefined, PLACE)).toMatchObject({ code: 'protocol' })
  },
)

test('the name of an error is shown as one short line', () => {
  expect(translated(answered('a\nb'.repeat(1000), 400)).message).toMatch(/^.{1,400}$/)
})
