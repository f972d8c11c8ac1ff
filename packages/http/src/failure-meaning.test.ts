import { expect, test } from 'vitest'
import { isPassing, networkMeaning, retryAfterOf, statusMeaning } from './failure-meaning.ts'

const retried = (code: string | undefined) => code !== undefined && isPassing(code)

test.for([
  ['ECONNRESET', true],
  ['EPIPE', true],
  ['ETIMEDOUT', true],
  ['ENOTFOUND', true],
  ['EAI_AGAIN', true],
  ['ECONNREFUSED', true],
  ['EHOSTUNREACH', true],
  ['ERR_PROXY_TUNNEL', true],
  ['EPROTO', false],
  ['HPE_INVALID_CONSTANT', false],
  ['ERR_SSL_WRONG_VERSION_NUMBER', false],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', false],
  ['SELF_SIGNED_CERT_IN_CHAIN', false],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', false],
  ['CERT_UNTRUSTED', false],
  ['CERT_HAS_EXPIRED', false],
  ['ERR_TLS_CERT_ALTNAME_INVALID', false],
] as const)('%s: tried again %s', ([code, again]) => {
  const meaning = networkMeaning(Object.assign(new Error(code), { code }))
  expect(meaning?.what).toContain(code)
  expect(retried(meaning?.code)).toBe(again)
})

test.for([
  [400, false],
  [401, false],
  [403, false],
  [404, false],
  [408, true],
  [409, false],
  [413, false],
  [423, true],
  [425, true],
  [429, true],
  [500, true],
  [501, false],
  [502, true],
  [503, true],
  [504, true],
  [505, false],
  [507, false],
  [509, true],
  [520, true],
] as const)('a status of %i: tried again %s', ([status, again]) => {
  expect(retried(statusMeaning(status)?.code)).toBe(again)
})

test('what is no failure of a connection has no meaning, and neither has a success', () => {
  expect(networkMeaning(new TypeError('a bug'))).toBeUndefined()
  expect(networkMeaning(Object.assign(new Error(), { code: 'ERR_INVALID_ARG_TYPE' }))).toBeUndefined()
  expect(
    networkMeaning(Object.assign(new Error(), { code: 'EIO', syscall: 'read', path: '/a' })),
  ).toBeUndefined()
  expect(statusMeaning(207)).toBeUndefined()
})

test('Retry-After is seconds or a date, and nothing else', () => {
  expect(retryAfterOf('7')).toBe(7000)
  expect(retryAfterOf(new Date(0).toUTCString())).toBe(0)
  expect(retryAfterOf('soon')).toBeUndefined()
})
