import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BUNDLE_FILE_BYTES, BUNDLE_MAX_BYTES, bundleEndsAfter } from './bundle.ts'

test('a bundle never ends below its least length, and always at its most', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.nat(256 * 1024 - 1), (file, bytes) => {
      expect(bundleEndsAfter(file, bytes)).toBe(false)
      expect(bundleEndsAfter(file, BUNDLE_MAX_BYTES + bytes)).toBe(true)
    }),
  )
})

test('where bundles end depends on the files alone: after a change the ends behind it are found again', () => {
  const fileOf = (i: number) =>
    Buffer.alloc(1000 + (i % 7) * 900, createHash('sha256').update(String(i)).digest())
  const ends = (files: readonly number[]) => {
    const found: number[] = []
    let bytes = 0
    for (const i of files) {
      const file = fileOf(i)
      bytes += file.length
      if (!bundleEndsAfter(file, bytes)) continue
      found.push(i)
      bytes = 0
    }
    return found
  }
  const all = Array.from({ length: 5000 }, (_, i) => i)
  const whole = ends(all)
  const without = ends(all.slice(3))
  expect(whole.length).toBeGreaterThan(10)
  expect(whole.slice(-5)).toEqual(without.slice(-5))
  const mean = (all.length * 3700) / whole.length
  expect(mean).toBeGreaterThan(300 * 1024)
  expect(mean).toBeLessThan(BUNDLE_MAX_BYTES)
  expect(BUNDLE_FILE_BYTES).toBeLessThan(BUNDLE_MAX_BYTES)
})
