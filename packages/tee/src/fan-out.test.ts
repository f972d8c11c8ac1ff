import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fanOut } from './fan-out.ts'

const collector = (
  name: string,
  log: number[],
  act: (item: number) => Promise<void> | void = () => undefined,
) => ({
  name,
  write: async (item: number) => {
    await act(item)
    log.push(item)
  },
})

test('every healthy writer gets everything in order, whatever the others do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ slow: fc.boolean(), failsAt: fc.option(fc.nat(30)) }), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 10 }),
      async (kinds, count, windowBytes) => {
        const logs = kinds.map(() => [] as number[])
        const released: number[] = []
        let outstanding = 0
        let most = 0
        const fan = fanOut(
          [
            collector('sound', []),
            ...kinds.map(({ slow, failsAt }, i) =>
              collector(`w${i}`, logs[i] ?? [], async (item) => {
                if (slow) await sleep(0)
                if (item === failsAt) throw new Error('broken')
              }),
            ),
          ],
          {
            windowBytes,
            sizeOf: () => 1,
            onRelease: (item) => {
              outstanding--
              released.push(item)
            },
          },
        )
        for (let i = 0; i < count; i++) {
          await fan.push(i)
          most = Math.max(most, ++outstanding)
        }
        const results = await fan.end()
        const all = Array.from({ length: count }, (_, i) => i)
        for (const [i, { failsAt }] of kinds.entries()) {
          const fails = failsAt !== null && failsAt < count
          expect(results[i + 1]?.state).toBe(fails ? 'failed' : 'ok')
          expect(logs[i]).toEqual(fails ? all.slice(0, failsAt) : all)
        }
        expect(released.toSorted((a, b) => a - b)).toEqual(all)
        expect(most).toBeLessThanOrEqual(windowBytes + 1)
      },
    ),
    { numRuns: 60 },
  )
})

test('a writer that never moves is detached, and the others finish', async () => {
  const good: number[] = []
  const stuck = {
    name: 'stuck',
    write: (_: number, signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('let go'))),
      ),
  }
  const fan = fanOut([collector('good', good), stuck], { windowBytes: 3, sizeOf: () => 1, detachAfterMs: 50 })
  for (let i = 0; i < 10; i++) await fan.push(i)
  const [first, second] = await fan.end()
  expect(first).toMatchObject({ state: 'ok', written: 10 })
  expect(second).toMatchObject({ state: 'detached', written: 0, missed: 10 })
  expect(good).toHaveLength(10)
})

test('a writer that is slow but moves is waited for at the end', async () => {
  const log: number[] = []
  const fan = fanOut(
    [
      collector('slow', log, async () => {
        await sleep(20)
      }),
    ],
    { windowBytes: 100, sizeOf: () => 1, detachAfterMs: 50 },
  )
  for (let i = 0; i < 8; i++) await fan.push(i)
  expect(await fan.end()).toMatchObject([{ state: 'ok', written: 8 }])
})

test('with too few writers left, push says why', async () => {
  const fan = fanOut(
    [
      collector('a', [], () => {
        throw new Error('no room')
      }),
      collector('b', []),
    ],
    { windowBytes: 1, sizeOf: () => 1, minWriters: 2 },
  )
  await fan.push(1)
  await sleep(5)
  await expect(fan.push(2)).rejects.toThrow('a: no room')
})

test('an item larger than the window goes through alone', async () => {
  const log: number[] = []
  const fan = fanOut([collector('a', log)], { windowBytes: 1, sizeOf: (item) => item })
  for (const item of [5, 1, 7]) await fan.push(item)
  await fan.end()
  expect(log).toEqual([5, 1, 7])
})

test('an abort ends pushing and waiting with its reason', async () => {
  const stop = new AbortController()
  const stuck = {
    name: 'stuck',
    write: (_: number, signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('let go'))),
      ),
  }
  const fan = fanOut([stuck], { windowBytes: 1, sizeOf: () => 1, signal: stop.signal })
  await fan.push(1)
  const waiting = fan.push(2)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(fan.end()).rejects.toThrow('enough')
})

/** A writer whose items take a while, and that says how their bytes go. */
function slow(name: string, log: string[], { pieces, pieceMs }: { pieces: number; pieceMs: number }) {
  return {
    name,
    write: async (item: number, _signal: AbortSignal, onBytes: (sizeBytes: number) => void) => {
      for (let i = 0; i < pieces; i++) {
        await sleep(pieceMs)
        onBytes(1 / pieces)
      }
      log.push(`${name}${item}`)
    },
  }
}

test('the only writer is never too slow: an item may take longer than the window may stay full', async () => {
  const log: string[] = []
  const fan = fanOut([slow('a', log, { pieces: 4, pieceMs: 20 })], {
    windowBytes: 1,
    sizeOf: () => 1,
    detachAfterMs: 10,
  })
  for (let i = 0; i < 3; i++) await fan.push(i)
  expect(await fan.end()).toMatchObject([{ state: 'ok', written: 3 }])
})

test('a slow writer that is needed is waited for; one more than are needed is detached', async () => {
  for (const [minAttached, state] of [
    [2, 'ok'],
    [1, 'detached'],
  ] as const) {
    const log: string[] = []
    const fan = fanOut([collector('fast', []), slow('slow', log, { pieces: 4, pieceMs: 20 })], {
      windowBytes: 1,
      sizeOf: () => 1,
      detachAfterMs: 10,
      minAttached,
    })
    for (let i = 0; i < 3; i++) await fan.push(i)
    const [fast, slowest] = await fan.end()
    expect({ fast: fast?.state, slow: slowest?.state }).toEqual({ fast: 'ok', slow: state })
    if (slowest?.error)
      expect(slowest.error.message).toMatch(/^too slow: it took \d+ kB\/s while another waited/)
  }
})

test('writers that are all slow are all waited for, however long', async () => {
  const names = ['a', 'b', 'c']
  // In step, however busy the machine is: one that got ahead would be waiting for the others.
  let [arrived, step] = [0, Promise.withResolvers<void>()]
  const piece = async (): Promise<void> => {
    const { promise, resolve } = step
    arrived++
    if (arrived === names.length) {
      ;[arrived, step] = [0, Promise.withResolvers<void>()]
      setTimeout(() => resolve(), 20)
    }
    await promise
  }
  const fan = fanOut(
    names.map((name) => ({
      name,
      write: async (_: number, __: AbortSignal, onBytes: (sizeBytes: number) => void) => {
        for (let i = 0; i < 2; i++) {
          await piece()
          onBytes(0.5)
        }
      },
    })),
    { windowBytes: 2, sizeOf: () => 1, detachAfterMs: 5 },
  )
  for (let i = 0; i < 5; i++) await fan.push(i)
  expect(await fan.end()).toMatchObject([{ state: 'ok' }, { state: 'ok' }, { state: 'ok' }])
})

test('each result comes when its writer is through, not when all are', async () => {
  const gate = Promise.withResolvers<void>()
  const fan = fanOut([{ name: 'late', write: () => gate.promise }, collector('early', [])], {
    windowBytes: 9,
    sizeOf: () => 1,
  })
  await fan.push(1)
  const results = fan.results()
  expect((await results.next()).value).toMatchObject({ name: 'early', state: 'ok' })
  gate.resolve()
  expect((await results.next()).value).toMatchObject({ name: 'late', state: 'ok' })
  expect((await results.next()).done).toBe(true)
})

test('when no writer is left the error has a name of its own, and each failure', async () => {
  const broken = (name: string) => ({ name, write: () => Promise.reject(new Error(`${name} is full`)) })
  const fan = fanOut([broken('a'), broken('b')], { windowBytes: 1, sizeOf: () => 1 })
  await fan.push(1)
  await sleep(1)
  await expect(fan.push(2)).rejects.toMatchObject({
    name: 'TooFewWritersError',
    message: 'too few writers are left: a: a is full; b: b is full',
  })
})
