import { createHash } from 'node:crypto'
import { Dropbox } from 'dropbox'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ContentHash, contentHash } from './content-hash.ts'

const MIB = 1024 * 1024
const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()

/** As https://www.dropbox.com/developers/reference/content-hash puts it. */
function byTheBook(bytes: Uint8Array): string {
  const blocks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 4 * MIB) blocks.push(sha256(bytes.subarray(at, at + 4 * MIB)))
  return sha256(...blocks).toString('hex')
}

test.for([0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB, 9 * MIB])(
  'the hash of %i bytes is as Dropbox has it',
  (size) => {
    const bytes = Buffer.alloc(size, 'pipe-backup')
    const hash = new ContentHash()
    hash.update(bytes)
    expect([contentHash(bytes), hash.digest()]).toEqual([byTheBook(bytes), byTheBook(bytes)])
  },
)

test('the hash of no bytes is that of the specification', () => {
  expect(contentHash(new Uint8Array())).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
})

test('however the bytes come, their hash is the same', () => {
  const bytes = Buffer.alloc(9 * MIB, 'some bytes')
  const whole = contentHash(bytes)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 }), (cuts) => {
      const hash = new ContentHash()
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      for (const [i, from] of places.entries()) hash.update(bytes.subarray(from, places[i + 1] ?? from))
      expect(hash.digest()).toBe(whole)
    }),
    { numRuns: 25 },
  )
})

test('any path fits into a header, and is itself again at the other end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (path) => {
      let header = ''
      const fetch = async (_: string, { headers }: { headers: Record<string, string> }) => {
        header = headers['Dropbox-API-Arg'] ?? ''
        return new Response(null, { headers: { 'dropbox-api-result': '{}' } })
      }
      await new Dropbox({ accessToken: 'token', fetch }).filesDownload({ path })
      expect(header).toMatch(/^[\x20-\x7e]*$/)
      expect(JSON.parse(header)).toEqual({ path })
    }),
  )
})
