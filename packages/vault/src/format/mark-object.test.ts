import { deriveKeys } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { outcomeOf } from '../test-support/outcome.ts'
import {
  isTag,
  type Mark,
  markedSnapshotOf,
  markIdOf,
  newMarkKey,
  openMark,
  sealMark,
} from './mark-object.ts'
import { sealObject } from './sealed-object.ts'
import { createVaultHost } from './vault-host.ts'

const SNAPSHOT = 'snapshots/20261123t100000z-0123456789abcdef'
const MARK: Mark = { pinned: true, tags: ['before upgrade'], replaces: ['00000000000000aa'] }
const host = createVaultHost(await deriveKeys(new Uint8Array(32).fill(7)), 'write')

test('a mark opens under its own key alone, and says who wrote it', () => {
  const key = newMarkKey(SNAPSHOT, host.hostId)
  const object = sealMark(host, key, MARK)
  expect([markedSnapshotOf(key), markIdOf(key)]).toEqual([SNAPSHOT, key.slice(-16)])
  expect(openMark(host.keys, key, object)).toEqual({
    ...MARK,
    author: expect.objectContaining({ hostId: host.hostId, role: 'write' }),
  })
  expect(() => openMark(host.keys, newMarkKey(SNAPSHOT, host.hostId), object)).toThrow(
    /is not what its name says/,
  )
})

test.for([SNAPSHOT, `${SNAPSHOT}-0123456789abcdef`, 'marks/0123456789abcdef', 'marks/', ''])(
  '%j is no key of a mark',
  (key) => {
    expect([markedSnapshotOf(key), markIdOf(key)]).toEqual([undefined, undefined])
  },
)

test.for([
  '{}',
  'no JSON',
  '{"version":1,"pinned":true,"tags":[]}',
  '{"version":1,"pinned":1,"tags":[],"replaces":[]}',
  '{"version":1,"pinned":true,"tags":["a,b"],"replaces":[]}',
  '{"version":1,"pinned":true,"tags":[],"replaces":["0"]}',
  JSON.stringify({
    version: 1,
    pinned: true,
    tags: Array.from({ length: 65 }, (_, i) => `tag ${i}`),
    replaces: [],
  }),
])('a mark of %.60s is damaged', (content) => {
  const key = newMarkKey(SNAPSHOT, host.hostId)
  const object = sealObject(host, key, Buffer.from(content))
  expect(outcomeOf(() => openMark(host.keys, key, object))).toBe('corrupt')
})

test('a mark under the name of another host is forged, also by one that maintains the vault', async () => {
  const other = createVaultHost(await deriveKeys(new Uint8Array(32).fill(7)))
  const key = newMarkKey(SNAPSHOT, host.hostId)
  expect(outcomeOf(() => openMark(host.keys, key, sealMark(other, key, MARK)))).toBe('forged')
})

test('a mark of a later version is not taken for a damaged one', () => {
  const key = newMarkKey(SNAPSHOT, host.hostId)
  const object = sealObject(host, key, Buffer.from('{"version":2}'))
  expect(outcomeOf(() => openMark(host.keys, key, object))).toBe('unsupported-version')
})

test('a tag is a text of 1 to 128 bytes without commas, control characters and blanks at its ends', () => {
  expect(['a', 'vor dem Umzug', 'ä'.repeat(64), '2026-11-23'].map(isTag)).toEqual([true, true, true, true])
  expect(['', ' a', 'a ', 'a,b', 'a\nb', '\u202Ea', 'ä'.repeat(65), '\u0000'].some(isTag)).toBe(false)
})
