import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Algorithm, Digests, proofOf } from './digests.ts'

const bytes = Buffer.from('what was sent')
const sent = new Digests(bytes)
const of = (algorithm: Algorithm) => sent[algorithm]
const sha256 = createHash('sha256').update(bytes).digest('base64')
const md5 = createHash('md5').update(bytes).digest('hex')

test('an echoed SHA-256 proves, and another one is damage, whatever the ETag says', () => {
  expect(proofOf({ ChecksumSHA256: sha256 }, of)).toBe('proven')
  fc.assert(
    fc.property(fc.base64String(), (other) => {
      fc.pre(other !== sha256)
      expect(proofOf({ ChecksumSHA256: other, ETag: `"${md5}"` }, of)).toBe('wrong')
    }),
  )
})

test('an ETag that is the MD5 proves, in quotes and capitals too; one that is not says nothing', () => {
  for (const ETag of [md5, `"${md5}"`, `"${md5.toUpperCase()}"`]) expect(proofOf({ ETag }, of)).toBe('proven')
  fc.assert(
    fc.property(fc.string(), (ETag) => {
      fc.pre(!ETag.toLowerCase().includes(md5))
      expect(proofOf({ ETag }, of)).toBe('unknown')
    }),
  )
})

test('nothing proves nothing', () => {
  expect(proofOf({}, of)).toBe('unknown')
  expect(proofOf({ ETag: '""', ChecksumSHA256: undefined }, of)).toBe('unknown')
  expect(proofOf({ ETag: `"${md5}"`, ChecksumSHA256: sha256 }, () => undefined)).toBe('unknown')
})

test('of an object in parts both have the number of parts', () => {
  expect(proofOf({ ChecksumSHA256: `${sha256}-3` }, of, 3)).toBe('proven')
  expect(proofOf({ ETag: `"${md5}-3"` }, of, 3)).toBe('proven')
  expect(proofOf({ ETag: `"${md5}-2"` }, of, 3)).toBe('unknown')
  expect(proofOf({ ETag: `"${md5}"` }, of, 3)).toBe('unknown')
})

test('a SHA-256 that is known is not computed again', () => {
  const known = createHash('sha256').update('another').digest()
  expect(new Digests(bytes, known.toString('hex')).sha256.equals(known)).toBe(true)
})
