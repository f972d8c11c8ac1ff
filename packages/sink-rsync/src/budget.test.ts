import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Budget } from './budget.ts'

test('no more is out than there is, and whoever waits is served', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 50 }), async (wants) => {
      const budget = new Budget('s', 100)
      let out = 0
      const use = async (bytes: number): Promise<void> => {
        using share = budget.open()
        await budget.take(share, bytes)
        out += bytes
        expect(out).toBeLessThanOrEqual(100)
        await sleep(0)
        out -= bytes
      }
      await Promise.all(wants.map(use))
      expect(out).toBe(0)
    }),
    { numRuns: 30 },
  )
})

test('more than there is at all is refused at once', async () => {
  const budget = new Budget('s', 100)
  await expect(budget.take(budget.open(), 101)).rejects.toMatchObject({ code: 'too-large', sink: 's' })
})

test('streams that hold everything and all want more: the last is refused, the first can end', async () => {
  const budget = new Budget('s', 100)
  const [one, other] = [budget.open(), budget.open()]
  await budget.take(one, 60)
  await budget.take(other, 40)
  const first = budget.take(one, 20)
  const second = budget.take(other, 20)
  await expect(second).rejects.toMatchObject({ code: 'too-large' })
  other[Symbol.dispose]()
  await first
  expect(one.heldBytes).toBe(80)
})

test('who holds something already goes before who holds nothing', async () => {
  const budget = new Budget('s', 100)
  const [stream, waiting] = [budget.open(), budget.open()]
  await budget.take(stream, 60)
  let served = false
  const whole = budget.take(waiting, 80).then(() => {
    served = true
  })
  await budget.take(stream, 40)
  expect(served).toBe(false)
  stream[Symbol.dispose]()
  await whole
})

test('who is aborted while waiting leaves the queue', async () => {
  const budget = new Budget('s', 100)
  const holder = budget.open()
  await budget.take(holder, 100)
  const aborting = new AbortController()
  const waiting = budget.take(budget.open(), 50, aborting.signal)
  aborting.abort(new Error('no longer wanted'))
  await expect(waiting).rejects.toThrow('no longer wanted')
  const next = budget.take(budget.open(), 70)
  holder[Symbol.dispose]()
  await expect(next).resolves.toBeUndefined()
})
