import type { Entry, EntryMetadata } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { entryToJson, longLine, permissions } from './long-listing.ts'

const METADATA: EntryMetadata = {
  path: Buffer.from('wallet/a b'),
  mode: 0o640,
  uid: 1000,
  gid: 100,
  user: 'bot',
  group: '',
  mtimeNs: BigInt(new Date(2026, 10, 23, 9, 5, 7).getTime()) * 1_000_000n + 5n,
}
const FILE: Entry = {
  ...METADATA,
  type: 'file',
  size: 1234,
  open: () => Promise.reject(new Error('not to be opened')),
}

test('a file is listed with mode, owner, size, time and path', () => {
  expect(longLine(FILE)).toBe('-rw-r----- bot      100              1234 2026-11-23 09:05:07 wallet/a b')
})

test('a link is listed with where it points, controls in it escaped', () => {
  const link: Entry = { ...METADATA, type: 'symlink', target: Buffer.from('../x\n') }
  expect(longLine(link).endsWith(' wallet/a b -> ../x\\n')).toBe(true)
  expect(longLine(link).startsWith('l')).toBe(true)
})

test('a user name can not speak to the terminal', () => {
  expect(longLine({ ...FILE, user: '\u001B]0;x\u0007' })).not.toMatch(/\p{Cc}/u)
})

test.for([
  [0o755, 'rwxr-xr-x'],
  [0o4755, 'rwsr-xr-x'],
  [0o2644, 'rw-r-Sr--'],
  [0o1777, 'rwxrwxrwt'],
  [0o0, '---------'],
] as const)('the mode %o is %s', ([mode, shown]) => {
  expect(permissions(mode)).toBe(shown)
})

test('JSON has the exact time, and only what the type of entry has', () => {
  expect(entryToJson(FILE)).toEqual({
    path: 'wallet/a b',
    type: 'file',
    mode: '0640',
    uid: 1000,
    gid: 100,
    user: 'bot',
    group: '',
    mtime: new Date(2026, 10, 23, 9, 5, 7).toISOString(),
    mtimeNs: String(METADATA.mtimeNs),
    size: 1234,
  })
})

test('a path that is no UTF-8 also comes as base64', () => {
  const json = entryToJson({ ...METADATA, type: 'directory', path: Uint8Array.of(0x61, 0xff) })
  expect(json).toMatchObject({ path: 'a\uFFFD', pathBase64: Buffer.from([0x61, 0xff]).toString('base64') })
})

test('a time beyond what a date can hold is still listed', () => {
  expect(entryToJson({ ...FILE, mtimeNs: 2n ** 63n * 1000n })).toMatchObject({
    mtime: null,
    mtimeNs: String(2n ** 63n * 1000n),
  })
})

test.for([
  [9_400_000_000_000n, '@9400000000000     '],
  [2n ** 63n - 1n, '@9223372036854775807'],
  [-(2n ** 63n), '@-9223372036854775808'],
  [300_000_000_000n, '@300000000000      '],
  [-80_000_000_000n, '@-80000000000      '],
] as const)(
  'a time of %i seconds, which no four digits of a year can say, is a number',
  ([seconds, shown]) => {
    const entry = { ...FILE, mtimeNs: seconds * 1_000_000_000n }
    expect(longLine(entry)).toBe(`-rw-r----- bot      100              1234 ${shown} wallet/a b`)
    expect(JSON.stringify(entryToJson(entry))).not.toMatch(/NaN|Invalid/)
  },
)

test('a time before 1970 is listed as any other', () => {
  const mtimeNs = BigInt(new Date(1912, 3, 15, 2, 20, 0).getTime()) * 1_000_000n
  expect(longLine({ ...FILE, mtimeNs })).toContain(' 1912-04-15 02:20:00 ')
})
