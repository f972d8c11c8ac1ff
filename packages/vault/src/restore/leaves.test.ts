import { expect, test } from 'vitest'
import { Leaf } from './leaves.ts'

async function* leaves(count: number): AsyncGenerator<readonly []> {
  for (let i = 0; i < count; i++) yield []
}

test('a leaf leads to the next, which is read once; one that was passed leads to where the restore is', async () => {
  const start = Leaf.before(leaves(4))
  const first = await start.pass()
  const second = await first?.next()
  expect([first?.number, second?.number]).toEqual([1, 2])
  expect(await first?.next()).toBe(second)

  let reached = await first?.pass()
  expect(reached).toBe(second)
  while (reached && reached.number < 4) reached = await reached.pass()
  for (const passed of [start, first, second]) expect(await passed?.next()).toBe(reached)
  expect(await reached?.pass()).toBeUndefined()
  expect(await first?.next()).toBeUndefined()
})
