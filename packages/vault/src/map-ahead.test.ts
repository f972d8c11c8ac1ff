import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mapAhead } from './map-ahead.ts'

test('what is given is in order, and never more is under way than may be', async () => {
  const item = fc.record({ turns: fc.nat(3), size: fc.nat(10) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(item),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(12),
      async (all, atOnce, most) => {
        const items = all.map((one, i) => ({ ...one, i }))
        const open = new Set<(typeof items)[number]>()
        const map = async (one: (typeof items)[number]) => {
          open.add(one)
          const before = [...open].slice(0, -1).reduce((sum, { size }) => sum + size, 0)
          expect(open.size).toBeLessThanOrEqual(atOnce)
          if (open.size > 1) expect(before).toBeLessThan(most)
          for (let i = 0; i < one.turns; i++) await turn()
          return one
        }
        const given: number[] = []
        for await (const one of mapAhead(items, map, { atOnce, sizes: { of: ({ size }) => size, most } })) {
          open.delete(one)
          given.push(one.i)
        }
        expect(given).toEqual(items.map(({ i }) => i))
      },
    ),
  )
})

test('a failure comes in its place, and ends what the items come from', async () => {
  const given: number[] = []
  let isClosed = false
  function* items() {
    try {
      yield* [0, 1, 2, 3, 4, 5, 6, 7]
    } finally {
      isClosed = true
    }
  }
  const map = async (i: number) => {
    await turn()
    if (i >= 3) throw new Error(`no ${i}`)
    return i
  }
  const all = async () => {
    for await (const one of mapAhead(items(), map, { atOnce: 4 })) given.push(one)
  }
  await expect(all()).rejects.toThrow('no 3')
  expect(given).toEqual([0, 1, 2])
  expect(isClosed).toBe(true)
})
