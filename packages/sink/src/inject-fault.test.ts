import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { FAULT_KINDS, type FaultKind, type Injection, injectFault } from './inject-fault.ts'
import { memorySink } from './memory-sink.ts'
import type { Sink, SinkOptions } from './sink.ts'

const BYTES = Buffer.from('some forty bytes, of which a half is twenty')
const HALF = BYTES.length >> 1

function broken(kind: FaultKind, more: Partial<Injection> = {}) {
  const store = memorySink()
  return { store, ...injectFault(store, { kind, at: 1, ...more }) }
}

async function listed(sink: Sink, options: SinkOptions = {}): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list('', options)) keys.push(key)
  return keys.sort()
}

test.for(['unreachable', 'throttled', 'timeout', 'full', 'forbidden', 'corrupt'] as const)(
  'a request that is %s does nothing, says so, and the next one works',
  async (code) => {
    const { store, sink, fired } = broken(code)
    await expect(sink.put('key', BYTES)).rejects.toMatchObject({ name: 'SinkError', code })
    expect(store.objects.size).toBe(0)
    await sink.put('key', BYTES)
    expect(await sink.get('key')).toEqual(BYTES)
    expect(fired).toEqual(['put key'])
  },
)

test('a fault for ever begins at its request, and does not end', async () => {
  const { sink, fired } = broken('unreachable', { at: 2, forever: true })
  await sink.put('key', BYTES)
  await expect(sink.get('key')).rejects.toMatchObject({ code: 'unreachable' })
  await expect(sink.head('key')).rejects.toMatchObject({ code: 'unreachable' })
  await expect(listed(sink)).rejects.toMatchObject({ code: 'unreachable' })
  expect(fired).toEqual(['get key', 'head key', 'list '])
})

test('what hangs is ended by the signal, with its reason', async () => {
  const { sink } = broken('hang', { forever: true })
  const reason = new Error('enough')
  const options = { signal: AbortSignal.abort(reason) }
  await expect(sink.put('key', BYTES, options)).rejects.toBe(reason)
  const later = new AbortController()
  const listing = listed(sink, { signal: later.signal })
  setTimeout(() => later.abort(reason), 5)
  await expect(listing).rejects.toBe(reason)
})

test('a torn write sends half, shows nothing, and fails', async () => {
  const { store, sink } = broken('torn-write')
  let gone = 0
  const onBytes = (bytes: number) => void (gone += bytes)
  await expect(sink.put('key', BYTES, { onBytes })).rejects.toMatchObject({ code: 'unreachable' })
  expect([gone, store.objects.size]).toEqual([HALF, 0])
})

test('a lost write is acknowledged, and nothing is there; of a half one the first half', async () => {
  for (const [kind, there] of [
    ['lost-write', undefined],
    ['half-write', HALF],
  ] as const) {
    const { store, sink } = broken(kind, { forever: true })
    await sink.put('put', BYTES)
    await pipeline([BYTES], sink.createWriteStream('streamed'))
    for (const key of ['put', 'streamed']) expect(store.objects.get(key)?.bytes.length).toBe(there)
  }
})

test('an unanswered write is done, and fails; so is a delete', async () => {
  const { store, sink } = broken('unanswered-write', { forever: true })
  await expect(sink.put('key', BYTES)).rejects.toMatchObject({ code: 'unreachable' })
  expect(await store.get('key')).toEqual(BYTES)
  await expect(sink.deleteMany(['key'])).rejects.toMatchObject({ code: 'unreachable' })
  expect(store.objects.size).toBe(0)
})

test('a lost delete is acknowledged, and nothing is gone', async () => {
  const { store, sink } = broken('lost-delete', { forever: true })
  await sink.put('key', BYTES)
  await sink.delete('key')
  expect(await sink.deleteMany(['key'])).toEqual(new Map())
  expect(store.objects.size).toBe(1)
})

test('a stale listing does not show what was put last, and still shows what was deleted', async () => {
  const { store, sink } = broken('stale-list', { at: 2, staleChanges: 2 })
  for (const key of ['old', 'older']) await store.put(key, BYTES)
  for (const key of ['known', 'new']) await sink.put(key, BYTES)
  await sink.delete('old')
  expect(await listed(sink)).toEqual(['known', 'new', 'older'])
  expect(await listed(sink)).toEqual(['known', 'old', 'older'])
  expect(await listed(sink)).toEqual(['known', 'new', 'older'])
})

test('a stale listing does not show what had just been put when the fault came', async () => {
  const store = memorySink()
  for (const key of ['a', 'b', 'c']) await store.put(key, BYTES)
  const { sink } = injectFault(store, {
    kind: 'stale-list',
    at: 1,
    staleChanges: 1,
    justPut: ['a', 'b', 'c'],
  })
  expect(await listed(sink)).toEqual(['a', 'b'])
})

test('a torn read fails in the middle; a short one ends there as if that were all', async () => {
  const torn = broken('torn-read', { forever: true })
  await torn.store.put('key', BYTES)
  await expect(torn.sink.get('key')).rejects.toMatchObject({ code: 'unreachable' })
  await expect(torn.sink.createReadStream('key').then(buffer)).rejects.toMatchObject({ code: 'unreachable' })
  const short = broken('short-read', { forever: true })
  await short.store.put('key', BYTES)
  expect(await short.sink.get('key')).toEqual(BYTES.subarray(0, HALF))
  expect(await short.sink.createReadStream('key').then(buffer)).toEqual(BYTES.subarray(0, HALF))
})

test.for(FAULT_KINDS)(
  'before and after its request a sink with the fault %s is as it is without',
  async (kind) => {
    const { store, sink, fired } = broken(kind, { at: 100 })
    await sink.put('a/one', BYTES)
    await pipeline([BYTES], sink.createWriteStream('a/two'))
    expect(await sink.createReadStream('a/two').then(buffer)).toEqual(BYTES)
    expect(await listed(sink)).toEqual(['a/one', 'a/two'])
    await sink.delete('a/one')
    expect(await sink.head('a/one')).toBeUndefined()
    expect([...store.objects.keys()]).toEqual(['a/two'])
    expect(fired).toEqual([])
  },
)
