import assert from 'node:assert/strict'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Check } from './check.ts'
import { digest, keysOf, readAll, sample } from './sample.ts'

const MIB = 1024 * 1024

/** How bytes flow, and how that is stopped. */
export const flow: Readonly<Record<string, Check>> = {
  'onBytes gets a report of every byte that goes out, in small pieces, and can hold the next one back':
    async (sink) => {
      const bytes = sample(3 * MIB)
      let reported = 0
      let running = false
      const onBytes = async (sizeBytes: number) => {
        assert.ok(sizeBytes <= 256 * 1024, `a piece of ${sizeBytes} bytes`)
        assert.equal(running, false, 'two pieces reported at once')
        running = true
        reported += sizeBytes
        await sleep(1)
        running = false
      }
      await sink.put('object', bytes, { onBytes })
      assert.ok(reported >= bytes.length && reported <= 2 * bytes.length, `${reported} bytes reported`)
      assert.equal(digest(await sink.get('object')), digest(bytes))
    },

  'a signal that has fired stops every request, with its reason': async (sink) => {
    await sink.put('object', sample(100))
    const reason = new Error('no longer wanted')
    const options = { signal: AbortSignal.abort(reason) }
    const whole = async () => {
      for await (const _ of sink.list('', options)) assert.fail('listed')
    }
    const requests: Record<string, () => Promise<unknown>> = {
      put: () => sink.put('new', sample(100), options),
      get: () => sink.get('object', options),
      head: () => sink.head('object', options),
      delete: () => sink.delete('object', options),
      read: () => readAll(sink, 'object', options),
      list: whole,
    }
    for (const [name, request] of Object.entries(requests)) {
      await assert.rejects(request(), (error) => error === reason || isAbortOf(error, reason), name)
    }
    assert.deepEqual(await keysOf(sink), ['object'])
  },

  'a signal that fires in the middle of a put or a stream leaves nothing visible': async (sink) => {
    const reason = new Error('no longer wanted')
    const putting = new AbortController()
    const onBytes = async (): Promise<void> => putting.abort(reason)
    await assert.rejects(
      sink.put('put', sample(8 * MIB), { signal: putting.signal, onBytes }),
      (error) => error === reason || isAbortOf(error, reason),
    )
    const streaming = new AbortController()
    const endless = async function* () {
      for (let i = 0; ; i++) {
        if (i === 40) streaming.abort(reason)
        yield sample(65_536)
        await sleep(0)
      }
    }
    await assert.rejects(
      pipeline(endless, sink.createWriteStream('streamed', { signal: streaming.signal })),
      (error) => error === reason || isAbortOf(error, reason),
    )
    await sleep(50)
    assert.deepEqual(await keysOf(sink), [])
  },

  'a reader that is destroyed half-way holds nothing up': async (sink) => {
    await sink.put('object', sample(8 * MIB))
    for (let i = 0; i < 12; i++) {
      const stream = await sink.createReadStream('object')
      stream.on('error', () => undefined)
      for await (const _ of stream) break
      stream.destroy()
    }
    assert.equal((await sink.get('object')).length, 8 * MIB)
  },

  'where it can say how much room there is, it says a number of bytes': async (sink) => {
    const free = await sink.freeBytes?.({})
    assert.ok(free === undefined || (Number.isSafeInteger(free) && free >= 0), `it says ${String(free)}`)
  },

  'back-pressure reaches the source of a stream': async (sink) => {
    const piece = sample(65_536)
    let taken = 0
    const source = async function* () {
      for (; taken < 4096; taken++) yield piece
    }
    const release = Promise.withResolvers<void>()
    const stream = sink.createWriteStream('held', { onBytes: () => release.promise })
    const held = pipeline(source, stream).catch(() => undefined)
    await sleep(300)
    const bytes = taken * piece.length
    stream.destroy()
    release.resolve()
    await held
    assert.ok(bytes <= 96 * MIB, `${bytes} bytes were taken up without one going out`)
  },
}

/** Node's streams wrap the reason: an AbortError with it as its cause. */
function isAbortOf(error: unknown, reason: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError' && error.cause === reason
}
