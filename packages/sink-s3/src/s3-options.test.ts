import { expect, test } from 'vitest'
import { checkOptions } from './s3-options.ts'
import { s3Sink } from './s3-sink.ts'

const LEAST = { name: 'cloud', bucket: 'backups' }

test.for([
  [{ bucket: '' }, '`bucket`'],
  [{ bucket: 'a/b' }, '`bucket`'],
  [{ bucket: '..' }, '`bucket`'],
  [{ prefix: 'a//b' }, '`prefix`'],
  [{ prefix: '../b' }, '`prefix`'],
  [{ endpoint: 's3.example.com' }, '`endpoint`'],
  [{ endpoint: 'ftp://example.com' }, '`endpoint`'],
  [{ accessKeyId: 'id' }, '`accessKeyId`'],
  [{ secretAccessKey: 'key' }, '`accessKeyId`'],
  [{ sessionToken: 'token' }, '`sessionToken`'],
  [{ profile: 'p', accessKeyId: 'id', secretAccessKey: 'key' }, '`profile`'],
  [{ objectLock: { mode: 'governance', days: 0 } }, '`objectLock.days`'],
  [{ objectLock: { mode: 'governance', days: 1.5 } }, '`objectLock.days`'],
  [{ storageClass: 'DEEP_ARCHIVE' }, '`storageClass`'],
  [{ kmsKeyId: 'k', serverSideEncryption: 'AES256' }, '`kmsKeyId`'],
  [{ partBytes: 5 * 1024 * 1024 - 1 }, '`partBytes`'],
  [{ partBytes: Number.NaN }, '`partBytes`'],
  [{ partBytes: 6 * 1024 ** 3 }, '`partBytes`'],
] as const)('%j is refused at once, by its name', ([options, name]) => {
  expect(() => s3Sink({ ...LEAST, ...options })).toThrow(name)
})

test('no message repeats a secret', () => {
  const secrets = { secretAccessKey: 'topsecret', sessionToken: 'alsosecret' }
  expect(() => s3Sink({ ...LEAST, ...secrets })).toThrow(/^(?!.*secret(?!AccessKey)).*$/)
})

test.for([
  ['', ''],
  ['/', ''],
  ['tipbot', 'tipbot/'],
  ['/a/b/', 'a/b/'],
])('the prefix %j is %j', ([prefix, wanted]) => {
  expect(checkOptions({ ...LEAST, prefix: prefix ?? '' }).prefix).toBe(wanted)
})

test('only an object lock makes deletes that may be refused for good', () => {
  const locked = s3Sink({ ...LEAST, objectLock: { mode: 'compliance', days: 30 } })
  expect([s3Sink(LEAST).appendOnly, locked.appendOnly]).toEqual([false, true])
})
