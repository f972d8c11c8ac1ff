import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sink } from '../sink.ts'
import { SinkError } from '../sink-error.ts'
import { withRetry } from '../with-retry.ts'
import { withTimeout } from '../with-timeout.ts'
import type { FaultProxy } from './fault-proxy.ts'
import { digest, keysOf, sample } from './sample.ts'

/** The same empty place twice: straight, and through a proxy that breaks connections. */
export interface FaultySetting {
  readonly straight: Sink
  readonly proxied: Sink
  readonly proxy: FaultProxy
  /** Whether it speaks HTTP in the clear, so that the proxy can answer for the server. */
  readonly http: boolean
}

export type FaultCheck = (setting: FaultySetting) => Promise<void>

const MIB = 1024 * 1024
const SILENT_MS = 1500
const IMMEDIATELY = { sleep: () => Promise.resolve() }

/** Of a server that breaks. */
export const faultPromises: Readonly<Record<string, FaultCheck>> = {
  'a put that is cut off fails as one that may be tried again, and shows the whole object or none': async (
    setting,
  ) => {
    const { straight, proxied, proxy } = setting
    const bytes = sample(4 * MIB)
    for (const [i, afterBytes] of [0, 1, 100, 3000, MIB, 4 * MIB - 1].entries()) {
      await cut(proxy, 'up', afterBytes)
      await assert.rejects(proxied.put(`up/${i}`, bytes), mayPass, `cut after ${afterBytes} bytes`)
    }
    for (const [i, afterBytes] of [0, 1, 10].entries()) {
      await cut(proxy, 'down', afterBytes)
      await assert.rejects(proxied.put(`down/${i}`, bytes), mayPass, `answer cut after ${afterBytes} bytes`)
    }
    for (const key of await keysOf(straight)) assert.equal(digest(await straight.get(key)), digest(bytes))
  },

  'a stream that is cut off fails, and shows nothing': async ({ straight, proxied, proxy }) => {
    await cut(proxy, 'up', MIB)
    const endless = Readable.from(Array.from({ length: 160 }, () => sample(65_536)))
    await assert.rejects(pipeline(endless, proxied.createWriteStream('streamed')), mayPass)
    assert.deepEqual(await keysOf(straight), [])
  },

  'a read that is cut off fails, and is never short': async ({ straight, proxied, proxy }) => {
    await straight.put('object', sample(4 * MIB))
    for (const afterBytes of [0, 20, 100_000, 3 * MIB]) {
      await cut(proxy, 'down', afterBytes)
      await assert.rejects(proxied.get('object'), mayPass, `get cut after ${afterBytes} bytes`)
      await cut(proxy, 'down', afterBytes)
      await assert.rejects(drain(proxied), mayPass, `read cut after ${afterBytes} bytes`)
    }
  },

  'a listing that is cut off fails, and is never short': async ({ straight, proxied, proxy }) => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => straight.put(`packs/${i}`, sample(1))))
    await cut(proxy, 'down', 10)
    await assert.rejects(keysOf(proxied), mayPass)
  },

  'a server that falls silent is given up by withTimeout': async ({ straight, proxied, proxy }) => {
    const impatient = withTimeout(proxied, { silentMs: SILENT_MS })
    await straight.put('object', sample(MIB))
    for (const afterBytes of [0, 200_000]) {
      await stall(proxy, afterBytes)
      await assert.rejects(impatient.put('put', sample(8 * MIB)), { code: 'timeout' })
    }
    await stall(proxy, 0)
    await assert.rejects(impatient.get('object'), { code: 'timeout' })
    proxy.drop()
    assert.deepEqual(await keysOf(straight), ['object'])
  },

  'with withRetry, a put, a read and a listing survive a cut': async ({ proxied, proxy }) => {
    const bytes = sample(4 * MIB)
    const once = async (direction: 'up' | 'down', afterBytes: number) => {
      await cut(proxy, direction, afterBytes)
      return withRetry(proxied, { ...IMMEDIATELY, onRetry: () => heal(proxy) })
    }
    await (await once('up', MIB)).put('object', bytes)
    await (await once('down', 1)).put('again', bytes)
    assert.equal(digest(await (await once('down', MIB)).get('object')), digest(bytes))
    const pieces = await (await (await once('down', MIB)).createReadStream('object')).toArray()
    assert.equal(digest(Buffer.concat(pieces as Buffer[])), digest(bytes))
    assert.deepEqual(await keysOf(await once('down', 5)), ['again', 'object'])
    assert.ok(proxy.faults >= 5, 'the cuts were not met')
  },

  'a server that asks to slow down is throttled, with its wait; one without room is full': async (
    setting,
  ) => {
    const { proxied, proxy, http } = setting
    if (!http) return
    const answer = async (status: string, headers = '') => {
      proxy.fault = {
        type: 'answer',
        bytes: `HTTP/1.1 ${status}\r\n${headers}Content-Length: 0\r\nConnection: close\r\n\r\n`,
      }
      await renew(proxy)
    }
    for (const status of ['429 Too Many Requests', '503 Service Unavailable']) {
      await answer(status, 'Retry-After: 7\r\n')
      await assert.rejects(proxied.get('object'), { code: 'throttled', retryAfterMs: 7000 }, status)
    }
    await answer('507 Insufficient Storage')
    await assert.rejects(proxied.put('object', sample(10)), { code: 'full' })
  },
}

async function cut(proxy: FaultProxy, direction: 'up' | 'down', afterBytes: number): Promise<void> {
  proxy.fault = { type: 'cut', direction, afterBytes }
  await renew(proxy)
}

async function stall(proxy: FaultProxy, afterBytes: number): Promise<void> {
  proxy.fault = { type: 'stall', afterBytes }
  await renew(proxy)
}

/**
 * The connections there are have gone, and the sink has noticed: the next request makes its own, and meets the fault. The fault is
 * set before, for a sink may still be tidying up, and its new connection would be the next request's.
 */
async function renew(proxy: FaultProxy): Promise<void> {
  proxy.drop()
  await sleep(50)
}

function heal(proxy: FaultProxy): void {
  proxy.drop()
  proxy.fault = { type: 'none' }
}

async function drain(sink: Sink): Promise<void> {
  for await (const _ of await sink.createReadStream('object')) continue
}

function mayPass(error: unknown): true {
  assert.ok(error instanceof SinkError, `not a SinkError: ${String(error)}`)
  assert.ok(error.retryable, `not to be tried again: ${error.code}, ${error.message}`)
  return true
}
