import fc from 'fast-check'
import { expect, it } from 'vitest'
import { copyBytes } from './copy-bytes.ts'

const memory = fc
  .tuple(fc.uint8Array({ maxLength: 80 }), fc.boolean(), fc.nat(9))
  .map(([bytes, isShared, skip]) => {
    const buffer = isShared
      ? new SharedArrayBuffer(skip + bytes.length)
      : new ArrayBuffer(skip + bytes.length)
    const view = new Uint8Array(buffer, skip)
    view.set(bytes)
    return view
  })

it('does what set does, in shared memory and outside, wherever it begins', () => {
  fc.assert(
    fc.property(memory, memory, fc.nat(90), (from, into, at) => {
      const expected = Uint8Array.from(into)
      const fits = at + from.length <= into.length
      if (fits) {
        expected.set(from, at)
        copyBytes(from, into, at)
      } else expect(() => copyBytes(from, into, at)).toThrow(RangeError)
      expect(Uint8Array.from(into)).toEqual(expected)
    }),
  )
})
