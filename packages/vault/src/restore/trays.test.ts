import { expect, test } from 'vitest'
import { Trays } from './trays.ts'

test('there are only so many trays: the one that was read first is used again, the one read last is not', () => {
  const trays = new Trays<number>()
  const passed = new Set<number>()
  const dropped: number[] = []
  const take = () =>
    trays.take(
      Promise.resolve(),
      (item) => passed.has(item),
      (item) => dropped.push(item),
    )
  const taken = []
  for (let tray = take(); tray; tray = take()) {
    tray.items.push(taken.length)
    tray.isBusy = false
    taken.push(tray)
  }
  expect(taken.length).toBeLessThan(16)
  passed.add(0)
  expect(take()).toBeUndefined()
  passed.add(1)
  expect(take()?.memory).toBe(taken[0]?.memory)
  expect([dropped, take()]).toEqual([[0], undefined])
})
