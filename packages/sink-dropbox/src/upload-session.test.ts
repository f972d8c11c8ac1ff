import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { keysOf, startBox, stream } from './test-support/box.ts'

const MIB = 1024 * 1024
/** Four pieces, of which the last one closes the session. */
const bytes = randomBytes(30 * MIB)

test.for([
  ['the first piece', 'start', 20, 1],
  ['a piece', 'append_v2', 20, 1],
  ['the last piece', 'append_v2', 10, 1],
  ['every piece', 'append_v2', 30, 9],
  ['the commit', 'finish_batch_v2', 20, 1],
] as const)('a stream is stored whole when the answer to %s was lost', async ([, route, sizeMib, times]) => {
  const { server, sink } = await startBox()
  server.fail({ type: 'lose-answer' }, { route: `files/upload_session/${route}`, times })
  await stream(sink, 'object', bytes.subarray(0, sizeMib * MIB))
  expect(Buffer.compare(await sink.get('object'), bytes.subarray(0, sizeMib * MIB))).toBe(0)
})

test.for(['start', 'append_v2', 'finish_batch_v2'])(
  'a stream is stored whole when %s failed, was cut, and was asked to wait',
  async (route) => {
    const { server, sink } = await startBox()
    const scope = { route: `files/upload_session/${route}` }
    server.fail({ type: 'answer', status: 500, body: 'Internal' }, scope)
    server.fail({ type: 'cut' }, scope)
    server.fail({ type: 'rate-limit', reason: 'too_many_write_operations', seconds: 1 }, scope)
    const begun = performance.now()
    await stream(sink, 'object', bytes)
    expect(performance.now() - begun).toBeGreaterThan(1000)
    expect(Buffer.compare(await sink.get('object'), bytes)).toBe(0)
  },
)

test('a stream whose session Dropbox has lost fails at once, and shows nothing', async () => {
  const { server, sink, calls } = await startBox()
  const writing = sink.createWriteStream('object')
  writing.on('error', () => undefined)
  await new Promise((resolve) => writing.write(bytes.subarray(0, 9 * MIB), resolve))
  while (calls('upload_session/start') === 0 || server.sessions.size === 0) await sleep(5)
  server.sessions.expire()
  const failed = new Promise((resolve) => writing.once('error', resolve))
  writing.end(bytes.subarray(9 * MIB))
  expect(await failed).toMatchObject({ code: 'unreachable', message: expect.stringContaining('lost') })
  expect(calls('upload_session/append_v2')).toBe(1)
  expect(await keysOf(sink)).toEqual([])
})

test('a stream is not tried again for ever', async () => {
  const { server, sink, calls } = await startBox()
  server.fail({ type: 'answer', status: 500 }, { route: 'files/upload_session/append_v2', times: 100 })
  await expect(stream(sink, 'object', bytes)).rejects.toMatchObject({ code: 'unreachable' })
  expect(calls('upload_session/append_v2')).toBe(4)
})

test('an object larger than one request may be is put in pieces, and checked', async () => {
  const { sink, calls } = await startBox()
  const large = Buffer.alloc(151 * MIB, randomBytes(4099))
  await sink.put('large', large)
  expect([calls('upload'), calls('upload_session/append_v2')]).toEqual([0, 18])
  expect(Buffer.compare(await sink.get('large'), large)).toBe(0)
})

test('with ifAbsent a stream whose commit was done, and its answer lost, has not met another object', async () => {
  const { server, sink } = await startBox()
  server.fail({ type: 'lose-answer' }, { route: 'files/upload_session/finish_batch_v2' })
  const writing = sink.createWriteStream('object', { ifAbsent: true })
  writing.end(bytes)
  await new Promise((resolve, reject) => writing.once('finish', resolve).once('error', reject))
  expect((await sink.head('object'))?.sizeBytes).toBe(bytes.length)
})
