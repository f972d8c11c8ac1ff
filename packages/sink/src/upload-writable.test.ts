import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createSink } from './driver.ts'

const WRITES = 40_000

test('a long stream leaves nothing behind of what it has handed over', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let got = 0
  const sink = createSink({
    name: 'sink',
    appendOnly: false,
    upload: async (_key, body) => {
      for await (const piece of body.unwatched()) got += piece.length
    },
    read: () => Promise.reject(new Error('nothing to read')),
    head: () => Promise.resolve(undefined),
    async *list() {},
    remove: () => Promise.resolve(new Map()),
    toSinkError: (cause) => cause,
  })
  const stream = sink.createWriteStream('key')
  const piece = Buffer.alloc(stream.writableHighWaterMark)
  const heapAfter = async (writes: number): Promise<number> => {
    for (let i = 0; i < writes; i++) if (!stream.write(piece)) await once(stream, 'drain')
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await heapAfter(1000)
  expect((await heapAfter(WRITES)) - before).toBeLessThan(WRITES * 100)
  stream.end()
  await once(stream, 'finish')
  expect(got).toBe((WRITES + 1000) * piece.length)
})
