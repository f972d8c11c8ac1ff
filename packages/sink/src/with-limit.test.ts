import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { memorySink } from './memory-sink.ts'
import type { Sink } from './sink.ts'
import { withLimit } from './with-limit.ts'

test('all uploads together take the time that the limit says', async () => {
  let now = 0
  const sleep = (ms: number) => {
    now = Math.max(now, now + ms)
    return Promise.resolve()
  }
  const sink = withLimit(memorySink(), { uploadBytesPerSecond: 100_000, now: () => now, sleep })
  await sink.put('a', Buffer.alloc(500_000))
  await sink.put('b', Buffer.alloc(500_000))
  // The last piece has left when its turn came; what it takes is owed by the next.
  expect(now).toBeGreaterThan(7000)
  expect(now).toBeLessThanOrEqual(10_000)
})

test('no more objects are put at a time than allowed, and they come in order', async () => {
  let running = 0
  let most = 0
  const order: string[] = []
  const put: Sink['put'] = async (key) => {
    most = Math.max(most, ++running)
    order.push(key)
    await turn()
    running--
  }
  const sink = withLimit({ ...memorySink(), put }, { concurrency: 2 })
  const keys = ['a', 'b', 'c', 'd', 'e']
  await Promise.all(keys.map((key) => sink.put(key, new Uint8Array())))
  expect({ most, order }).toEqual({ most: 2, order: keys })
})

test('who gives up waiting leaves its place to the next', async () => {
  const first = Promise.withResolvers<void>()
  const put: Sink['put'] = (key) => (key === 'first' ? first.promise : Promise.resolve())
  const sink = withLimit({ ...memorySink(), put }, { concurrency: 1 })
  const holding = sink.put('first', new Uint8Array())
  const controller = new AbortController()
  const waiting = sink.put('second', new Uint8Array(), { signal: controller.signal })
  const third = sink.put('third', new Uint8Array())
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  first.resolve()
  await expect(Promise.all([holding, third])).resolves.toHaveLength(2)
})

test('a put that failed frees its place', async () => {
  const put: Sink['put'] = (key) => (key === 'bad' ? Promise.reject(new Error('bad')) : Promise.resolve())
  const sink = withLimit({ ...memorySink(), put }, { concurrency: 1 })
  await expect(sink.put('bad', new Uint8Array())).rejects.toThrow('bad')
  await expect(sink.put('good', new Uint8Array())).resolves.toBeUndefined()
})

test.for([0, 1, 2, 3, 4, 5, 6])(
  'who gives up when its turn comes takes nobody else’s place, %s turns later',
  async (turns) => {
    const first = Promise.withResolvers<void>()
    const put: Sink['put'] = (key) => (key === 'first' ? first.promise : Promise.resolve())
    const sink = withLimit({ ...memorySink(), put }, { concurrency: 1 })
    const holding = sink.put('first', new Uint8Array())
    const controller = new AbortController()
    const waiting = sink.put('second', new Uint8Array(), { signal: controller.signal }).catch(() => undefined)
    const third = sink.put('third', new Uint8Array())
    first.resolve()
    for (let i = 0; i < turns; i++) await Promise.resolve()
    controller.abort(new Error('enough'))
    const all = Promise.all([holding, waiting, third]).then(() => 'all')
    await expect(
      Promise.race([
        all,
        turn()
          .then(turn)
          .then(() => 'hangs'),
      ]),
    ).resolves.toBe('all')
  },
)
