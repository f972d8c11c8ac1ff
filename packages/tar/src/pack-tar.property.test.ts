import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Entry } from '@pipe-backup/source'
import fc from 'fast-check'
import { extract } from 'tar-stream'
import { expect, test } from 'vitest'
import { packTar } from './pack-tar.ts'

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 150 })
  .filter((text) => !/[\0/]/.test(text) && text.isWellFormed() && text !== '.' && text !== '..')

test('tar-stream, another reader, finds the names, sizes and bytes that went in', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, fc.nat(3000), fc.nat(0o7777)), { maxLength: 8 }),
      async (items) => {
        const entries = items.map(
          ([text, size, mode]): Entry => ({
            type: 'file',
            path: Buffer.from(text),
            mode,
            uid: 3_000_000,
            gid: 7,
            user: 'ünïcode',
            group: '',
            mtimeNs: -1_500_000_000n,
            size,
            open: () => {
              let left = size
              return {
                read: (into) => {
                  const got = Math.min(left, into.length)
                  into.fill(97, 0, got)
                  left -= got
                  return got
                },
                finish: () => ({ steady: true, mtimeNs: 0n }),
                close: () => undefined,
              }
            },
          }),
        )
        const reader = Readable.from([await buffer(packTar(entries))]).pipe(extract())
        const found: [string, number, number][] = []
        for await (const entry of reader) {
          const bytes = await buffer(entry as unknown as Readable)
          expect(bytes.every((byte) => byte === 97)).toBe(true)
          found.push([entry.header.name, bytes.length, entry.header.mode ?? 0])
          expect(entry.header.pax).toMatchObject({ uid: '3000000', mtime: '-1.5', uname: 'ünïcode' })
        }
        expect(found).toEqual(items)
      },
    ),
    { numRuns: 50 },
  )
})
