import { randomBytes } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import { sealAead, signContent } from '@pipe-backup/crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flips, outcomeOf, truncations } from '../test-support/outcome.ts'
import { HOST } from '../test-support/test-host.ts'
import { openObject, sealObject } from './sealed-object.ts'

const KEY = 'snapshots/20261123t100000z-0123456789abcdef'

test('an object opens to what was sealed, under its own key and vault alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (content) => {
      const object = sealObject(HOST, KEY, content)
      expect(Uint8Array.from(openObject(HOST.keys, KEY, object).content)).toEqual(content)
      expect(outcomeOf(() => openObject(HOST.keys, KEY.replace('10', '11'), object))).toBe('corrupt')
      expect(outcomeOf(() => openObject({ ...HOST.keys, indexKey: randomBytes(32) }, KEY, object))).toBe(
        'corrupt',
      )
    }),
  )
})

test('flipping any byte is found, and the object named', () => {
  const object = sealObject(HOST, KEY, Buffer.from('the content'))
  for (const { damaged } of flips(object)) {
    expect(() => openObject(HOST.keys, KEY, damaged)).toThrow(
      expect.objectContaining({ code: 'corrupt', key: KEY, message: expect.stringContaining(KEY) }),
    )
  }
})

test('cutting it anywhere is found, and the object named', () => {
  const object = sealObject(HOST, KEY, Buffer.from('the content'))
  for (const { damaged } of truncations(object))
    expect(() => openObject(HOST.keys, KEY, damaged)).toThrow(
      expect.objectContaining({ code: 'corrupt', key: KEY }),
    )
  expect(outcomeOf(() => openObject(HOST.keys, KEY, Buffer.concat([object, Buffer.of(0)])))).toBe('corrupt')
})

test.each(['sessions/0123456789abcdef', 'marks/20261123t100000z-0123456789abcdef-00-00'])(
  '%s that would unfold to more than a mebibyte is damaged, and never made',
  (key) => {
    const most = Buffer.alloc(1024 * 1024)
    expect(openObject(HOST.keys, key, sealObject(HOST, key, most)).content).toHaveLength(most.length)
    expect(() => sealObject(HOST, key, Buffer.alloc(most.length + 1))).toThrow('nobody would read it')
    // As a host with a stolen key makes it.
    const packed = zstdCompressSync(Buffer.alloc(200 * 1024 * 1024))
    expect(packed.length).toBeLessThan(32 * 1024)
    const label = `pipe-backup object 1\n${key}`
    const signed = Buffer.concat([signContent(HOST.signer, label, packed), packed])
    const object = Buffer.alloc(8 + signed.length + 40)
    object.set(sealObject(HOST, key, most).subarray(0, 8))
    sealAead(HOST.keys.indexKey, signed, Buffer.from(key), object, 8)
    expect(outcomeOf(() => openObject(HOST.keys, key, object))).toBe('corrupt')
  },
)

test('one bit that is flipped makes no newer version, whatever else is damaged', () => {
  const object = sealObject(HOST, KEY, Buffer.from('the content'))
  object.writeUInt8(object.readUInt8(8) ^ 1, 8)
  for (let bit = 0; bit < 8; bit++) {
    const damaged = Buffer.from(object)
    damaged.writeUInt8(damaged.readUInt8(7) ^ (1 << bit), 7)
    expect([bit, outcomeOf(() => openObject(HOST.keys, KEY, damaged))]).toEqual([bit, 'corrupt'])
  }
})

test('a newer version says so, and what to do', () => {
  const object = sealObject(HOST, KEY, Buffer.from('the content'))
  object[7] = 2
  // One that is signed as of this version is damaged in the byte that names it.
  object.writeUInt8(object.readUInt8(8) ^ 1, 8)
  expect(() => openObject(HOST.keys, KEY, object)).toThrow(
    expect.objectContaining({ code: 'unsupported-version', message: expect.stringContaining('version 2') }),
  )
})
