import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flips, outcomeOf, truncations } from '../test-support/outcome.ts'
import { HOST } from '../test-support/test-host.ts'
import { sealObject } from './sealed-object.ts'
import {
  openSnapshotHead,
  type SnapshotHead,
  sealSnapshot,
  snapshotIdOf,
  snapshotKey,
} from './snapshot-object.ts'

const ID = '0123456789abcdef'
const KEY = snapshotKey(new Date('2026-11-23T10:00:00.987Z'), ID)
const HEAD: SnapshotHead = {
  version: 1,
  id: ID,
  time: '2026-11-23T10:00:00.987Z',
  host: 'tipbot1',
  hostId: 'ab'.repeat(16),
  program: 'pipe-backup 0.1.0',
  sources: [
    { name: 'wallet', state: 'ok', root: 'cd'.repeat(32), entries: 12, bytes: 34567, problems: 0 },
    { name: 'database', state: 'failed', entries: 0, bytes: 0, problems: 0, error: 'no such table' },
  ],
  packs: [['ef'.repeat(32), '/w==']],
}
const open = (object: Uint8Array, key = KEY) => openSnapshotHead(HOST.keys, key, object)

test('a key has the time in UTC, and the id', () => {
  expect(KEY).toBe('snapshots/20261123t100000z-0123456789abcdef')
  expect(snapshotIdOf(KEY)).toBe(ID)
  for (const key of [`${KEY}0`, KEY.toUpperCase(), `index/${ID}`, 'snapshots/', `x${KEY}`])
    expect(snapshotIdOf(key)).toBeUndefined()
})

test('a head opens to what was sealed, with whatever members a later program adds', () => {
  const more = { ...HEAD, later: { anything: 1 } }
  expect(open(sealSnapshot(HOST, KEY, more))).toEqual(more)
})

test('flipping or cutting any byte is found, and the snapshot named', () => {
  const object = sealSnapshot(HOST, KEY, HEAD)
  for (const { damaged } of [...flips(object), ...truncations(object)]) {
    expect(() => open(damaged)).toThrow(
      expect.objectContaining({
        code: 'corrupt',
        key: KEY,
        message: expect.stringContaining(KEY),
      }),
    )
  }
})

test("one snapshot under another's name, or of another vault, is refused", () => {
  const object = sealSnapshot(HOST, KEY, HEAD)
  expect(outcomeOf(() => open(object, snapshotKey(new Date('2026-11-23T10:00:01Z'), ID)))).toBe('corrupt')
  expect(outcomeOf(() => open(object, snapshotKey(new Date('2026-11-23T10:00:00Z'), 'f'.repeat(16))))).toBe(
    'corrupt',
  )
  expect(
    outcomeOf(() =>
      open(sealSnapshot({ ...HOST, keys: { ...HOST.keys, indexKey: randomBytes(32) } }, KEY, HEAD)),
    ),
  ).toBe('corrupt')
  const lying = { ...HEAD, id: 'f'.repeat(16) }
  expect(outcomeOf(() => open(sealSnapshot(HOST, KEY, lying)))).toBe('corrupt')
})

test('a head of a later version says so, whatever else is in it', () => {
  const object = sealObject(HOST, KEY, Buffer.from('{"version":2,"parts":[]}'))
  expect(() => open(object)).toThrow(
    expect.objectContaining({ code: 'unsupported-version', key: KEY, hint: 'Update this program.' }),
  )
})

test.for<[string, (head: Record<string, unknown>) => unknown]>([
  ['no object', () => []],
  ['null', () => null],
  ['no sources', (head) => ({ ...head, sources: undefined })],
  ['sources that are none', (head) => ({ ...head, sources: [null] })],
  ['a root that is no id', (head) => ({ ...head, sources: [{ ...HEAD.sources[0], root: 'abc' }] })],
  ['no root though it is ok', (head) => ({ ...head, sources: [{ ...HEAD.sources[0], root: undefined }] })],
  ['a state of no meaning', (head) => ({ ...head, sources: [{ ...HEAD.sources[0], state: 'fine' }] })],
  [
    'a state that is no text and has none',
    (head) => ({ ...head, sources: [{ ...HEAD.sources[0], state: { toString: 1, valueOf: 1 } }] }),
  ],
  ['a pack name that leaves the sink', (head) => ({ ...head, packs: [['../../etc/passwd', '']] })],
  ['a pack without a bitmap', (head) => ({ ...head, packs: [['ef'.repeat(32)]] })],
  ['packs that are no list', (head) => ({ ...head, packs: { length: 1 } })],
  ['a time that is none', (head) => ({ ...head, time: 'yesterday' })],
  ['no host', (head) => ({ ...head, host: 7 })],
  ['version 0', (head) => ({ ...head, version: 0 })],
])('a head with %s is corrupt', ([, change]) => {
  const object = sealObject(HOST, KEY, Buffer.from(JSON.stringify(change({ ...HEAD }))))
  expect(outcomeOf(() => open(object))).toBe('corrupt')
})

test('content of any kind is a head or corrupt', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json().map((json) => Buffer.from(json)),
        fc.uint8Array(),
      ),
      (content) => {
        expect(outcomeOf(() => open(sealObject(HOST, KEY, content)))).toBe('corrupt')
      },
    ),
  )
})
