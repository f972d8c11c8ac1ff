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
        using _ = await budget.take(bytes)
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
  await expect(budget.take(101)).rejects.toMatchObject({ code: 'too-large', sink: 's' })
})

test('what is given back in part, or twice, is there for others once', async () => {
  const budget = new Budget('s', 100)
  const stream = await budget.take(100)
  const waiting = budget.take(60)
  stream.shrinkTo(40)
  const second = await waiting
  const third = budget.take(60)
  stream[Symbol.dispose]()
  stream[Symbol.dispose]()
  await expect(Promise.race([third, sleep(10, 'waits')])).resolves.toBe('waits')
  second[Symbol.dispose]()
  await expect(third).resolves.toBeDefined()
})

test('who came first goes first, whatever it wants', async () => {
  const budget = new Budget('s', 100)
  const first = await budget.take(60)
  const served: string[] = []
  const large = budget.take(80).then((share) => {
    served.push('large')
    return share
  })
  const small = budget.take(40).then(() => served.push('small'))
  await sleep(5)
  expect(served).toEqual([])
  first[Symbol.dispose]()
  ;(await large)[Symbol.dispose]()
  await small
  expect(served).toEqual(['large', 'small'])
})

test('who is aborted while waiting leaves the queue', async () => {
  const budget = new Budget('s', 100)
  const holder = await budget.take(100)
  const aborting = new AbortController()
  const waiting = budget.take(50, aborting.signal)
  const next = budget.take(70)
  aborting.abort(new Error('no longer wanted'))
  await expect(waiting).rejects.toThrow('no longer wanted')
  holder[Symbol.dispose]()
  await expect(next).resolves.toBeDefined()
})

test('who is served and aborted in the same moment holds nothing', async () => {
  const budget = new Budget('s', 100)
  const holder = await budget.take(100)
  const aborting = new AbortController()
  const waiting = budget.take(100, aborting.signal)
  aborting.abort(new Error('no longer wanted'))
  holder[Symbol.dispose]()
  await expect(waiting).rejects.toThrow('no longer wanted')
  await expect(budget.take(100)).resolves.toBeDefined()
})
