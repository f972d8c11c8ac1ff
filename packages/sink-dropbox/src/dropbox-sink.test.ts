import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { withRetry } from '@pipe-backup/sink'
import { expect, test } from 'vitest'
import { keysOf, startBox, stream } from './test-support/box.ts'

const MIB = 1024 * 1024
const CONTENTIONS = [409, 429] as const
const bytes = randomBytes(100_000)

test.for([
  ['of requests', { type: 'rate-limit', reason: 'too_many_requests', seconds: 3 }],
  ['of changes', { type: 'rate-limit', reason: 'too_many_write_operations', seconds: 3 }],
  ['in plain text', { type: 'answer', status: 429, body: 'Slow down', headers: { 'Retry-After': '3' } }],
  ['of a server that is busy', { type: 'answer', status: 503, headers: { 'Retry-After': '3' } }],
] as const)('a limit %s is throttled; the next try waits as long as was asked', async ([, fault]) => {
  const { server, sink, patient, waits } = await startBox()
  server.fail(fault, { route: 'files/upload' })
  await expect(sink.put('object', bytes)).rejects.toMatchObject({ code: 'throttled', retryAfterMs: 3000 })
  server.fail(fault, { route: 'files/upload' })
  await patient.put('object', bytes)
  expect(waits).toEqual([3000])
})

test.for(CONTENTIONS)(
  'when another host holds the lock a put is throttled, shown by %i, and another try stores it',
  async (contentionStatus) => {
    const { server, sink, patient } = await startBox({ contentionStatus })
    const held = server.holdLock(200)
    await expect(sink.put('object', bytes)).rejects.toMatchObject({ code: 'throttled' })
    await held
    await patient.put('object', bytes)
    expect(Buffer.compare(await sink.get('object'), bytes)).toBe(0)
  },
)

test('bytes that arrived before the lock was refused are not sent again', async () => {
  const { server, sink, calls } = await startBox({ contentionStatus: 409 })
  const held = server.holdLock(200)
  await expect(sink.put('object', bytes)).rejects.toMatchObject({ code: 'throttled' })
  await held
  await sink.put('object', bytes)
  expect([calls('upload'), calls('upload_session/finish_batch_v2')]).toEqual([1, 1])
  expect(Buffer.compare(await sink.get('object'), bytes)).toBe(0)
})

test('bytes that arrived are sent again when Dropbox has lost them, and when the next try has others', async () => {
  const { server, sink } = await startBox({ contentionStatus: 409 })
  const refuse = async (key: string) => {
    const held = server.holdLock(200)
    await expect(sink.put(key, bytes)).rejects.toMatchObject({ code: 'throttled' })
    await held
  }
  await refuse('lost')
  server.sessions.expire()
  await sink.put('lost', bytes)
  await refuse('changed')
  await sink.put('changed', bytes.subarray(1))
  expect(Buffer.compare(await sink.get('lost'), bytes)).toBe(0)
  expect(Buffer.compare(await sink.get('changed'), bytes.subarray(1))).toBe(0)
})

test('one sink never meets the lock: puts, streams and deletes at once take turns, many puts in a batch', async () => {
  const { server, sink, calls } = await startBox({ commitMs: 10 })
  await sink.put('pending', bytes)
  await Promise.all([
    ...Array.from({ length: 30 }, (_, i) => sink.put(`packs/${i}`, randomBytes(1000 * i))),
    stream(sink, 'streamed', randomBytes(9 * MIB)),
    sink.delete('pending'),
    sink.deleteMany(['pending', 'none']),
  ])
  expect(server.account.contended).toBe(0)
  expect(calls('upload_session/finish_batch_v2')).toBeLessThan(10)
  expect(server.account.files).toHaveLength(31)
})

test.for(CONTENTIONS)(
  'many hosts that write at once all get their turn, shown by %i',
  async (contentionStatus) => {
    const { server, another } = await startBox({ contentionStatus, commitMs: 100 })
    const hosts = Array.from({ length: 3 }, () =>
      withRetry(another(), { tries: 100, firstMs: 20, maxMs: 40 }),
    )
    await Promise.all(
      hosts.flatMap((host, i) => Array.from({ length: 8 }, (_, j) => host.put(`packs/${i}-${j}`, bytes))),
    )
    expect(server.account.contended).toBeGreaterThan(0)
    expect(server.account.files).toHaveLength(24)
  },
)

test('of a batch only what is wrong fails: the others are stored', async () => {
  const { sink, calls } = await startBox()
  await sink.put('taken', bytes)
  await sink.put('folder/below', bytes)
  const results = await Promise.allSettled([
    sink.put('first', bytes),
    sink.put('taken', randomBytes(10), { ifAbsent: true }),
    sink.put('folder', bytes),
    sink.put('taken/below', bytes),
    sink.put('good', bytes),
  ])
  expect(results.map((result) => (result.status === 'fulfilled' ? 'stored' : result.reason.code))).toEqual([
    'stored',
    'exists',
    'refused-key',
    'refused-key',
    'stored',
  ])
  expect(calls('upload_session/finish_batch_v2')).toBeGreaterThan(0)
  expect(await keysOf(sink)).toEqual(['first', 'folder/below', 'good', 'taken'])
})

test('one that gives up takes no other of its batch with it', async () => {
  const { sink } = await startBox({ commitMs: 200 })
  const giveUp = new AbortController()
  const reason = new Error('no longer wanted')
  const puts = [
    sink.put('alone', bytes),
    sink.put('batched-1', bytes),
    sink.put('given-up', bytes, { signal: giveUp.signal }),
    sink.put('batched-2', bytes),
  ]
  await sleep(100)
  giveUp.abort(reason)
  const results = await Promise.allSettled(puts)
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  expect(await keysOf(sink)).toEqual(expect.arrayContaining(['alone', 'batched-1', 'batched-2']))
})

test.for(['upload', 'upload_session/start', 'upload_session/append_v2'] as const)(
  'a bit that flipped on the way to %s is corrupt, and nothing is stored',
  async (route) => {
    const { server, sink } = await startBox()
    server.fail({ type: 'flip' }, { route: `files/${route}` })
    const storing =
      route === 'upload' ? sink.put('object', bytes) : stream(sink, 'object', randomBytes(20 * MIB))
    await expect(storing).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
    expect(await keysOf(sink)).toEqual([])
  },
)

test('a bit that flipped in one of several puts is corrupt in that one', async () => {
  const { server, sink } = await startBox()
  server.fail({ type: 'flip' }, { route: 'files/upload_session/start' })
  const results = await Promise.allSettled(['a', 'b', 'c'].map((key) => sink.put(key, bytes)))
  const failed = results.filter((result) => result.status === 'rejected')
  expect(failed.map(({ reason }) => reason.code)).toEqual(['corrupt'])
  expect(await keysOf(sink)).toHaveLength(2)
})

test('a server that says it has stored other bytes is not believed', async () => {
  const { server, sink } = await startBox()
  await sink.put('object', bytes)
  const body = {
    id: 'id:a',
    rev: '5a1c00001',
    path_lower: '/tipbot/object',
    server_modified: '2026-11-23T10:00:00Z',
    size: bytes.length,
    content_hash: '0'.repeat(64),
  }
  const headers = { 'Content-Type': 'application/json' }
  server.fail({ type: 'answer', status: 200, body, headers }, { route: 'files/upload' })
  await expect(sink.put('object', bytes)).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
})

test('what has rotted at Dropbox is corrupt when it is read whole', async () => {
  const { server, sink } = await startBox()
  await sink.put('object', randomBytes(5 * MIB))
  server.spoil('/tipbot/object')
  await expect(sink.get('object')).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
  const reading = async () => {
    for await (const _ of await sink.createReadStream('object')) continue
  }
  await expect(reading()).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
})

test('how much room there is: of the account, of the team and its member, or unknown', async () => {
  const { sink, server, another } = await startBox({ quotaBytes: 150_000 })
  await sink.put('object', randomBytes(50_000))
  expect(await sink.freeBytes?.()).toBe(100_000)

  const team = (limit: string) => ({
    used: 70,
    allocation: {
      '.tag': 'team',
      used: 900,
      allocated: 1000,
      user_within_team_space_allocated: 80,
      user_within_team_space_limit_type: { '.tag': limit },
    },
  })
  for (const [usage, free] of [
    [team('alert_only'), 100],
    [team('stop_sync'), 10],
    [{ used: 3, allocation: { '.tag': 'individual', allocated: 2 } }, 0],
    [{ used: 3, allocation: { '.tag': 'other' } }, undefined],
  ] as const) {
    server.fail(
      { type: 'answer', status: 200, body: JSON.stringify(usage) },
      { route: 'users/get_space_usage' },
    )
    expect(await sink.freeBytes?.()).toBe(free)
  }

  const refreshToken = server.tokens.grant([
    'files.content.read',
    'files.content.write',
    'files.metadata.read',
  ])
  expect(await another({ refreshToken }).freeBytes?.()).toBeUndefined()
})

test('a Dropbox without room is full, however the bytes come; what fits is stored', async () => {
  const { sink } = await startBox({ quotaBytes: 150_000 })
  const full = { code: 'full', hint: expect.stringContaining('Free some') }
  await expect(sink.put('large', randomBytes(150_001))).rejects.toMatchObject(full)
  await expect(stream(sink, 'streamed', randomBytes(9 * MIB))).rejects.toMatchObject(full)
  const results = await Promise.allSettled(['a', 'b', 'c'].map((key) => sink.put(key, bytes)))
  const failed = results.filter((result) => result.status === 'rejected')
  expect(failed.map(({ reason }) => reason.code)).toEqual(['full', 'full'])
  expect(await keysOf(sink)).toHaveLength(1)
})

test('deleting a key that is a folder deletes nothing of what is in it', async () => {
  const { sink } = await startBox()
  await sink.put('packs/ab/object', bytes)
  await sink.delete('packs')
  expect([...(await sink.deleteMany(['packs/ab', 'packs']))]).toEqual([])
  expect(await keysOf(sink)).toEqual(['packs/ab/object'])
})

test('an object that is replaced while its delete waits for its turn stays', async () => {
  const { sink } = await startBox({ commitMs: 300 })
  await sink.put('object', bytes)
  const replacing = sink.put('object', bytes.subarray(1))
  await expect(sink.delete('object')).rejects.toMatchObject({ code: 'throttled' })
  await replacing
  expect(Buffer.compare(await sink.get('object'), bytes.subarray(1))).toBe(0)
})

test('a delete that has met another revision deletes with another try', async () => {
  const { server, sink, patient } = await startBox()
  await sink.put('object', bytes)
  const error = { '.tag': 'path_write', path_write: { '.tag': 'conflict', conflict: { '.tag': 'file' } } }
  const replaced = { type: 'answer', status: 409, body: { error_summary: 'path_write/', error } } as const
  server.fail(replaced, { route: 'files/delete_v2' })
  await expect(sink.delete('object')).rejects.toMatchObject({ code: 'throttled' })
  expect(await keysOf(sink)).toEqual(['object'])
  server.fail(replaced, { route: 'files/delete_v2' })
  await patient.delete('object')
  expect(await keysOf(sink)).toEqual([])
})

test('many are deleted by a job; what it could not delete is reported by key, and is deleted by another try', async () => {
  const { server, sink, patient, calls } = await startBox({ jobMs: 200 })
  const keys = Array.from({ length: 70 }, (_, i) => `packs/${i % 3}/${i}`)
  await Promise.all([...keys, 'packs/kept', 'other'].map((key) => sink.put(key, randomBytes(10))))
  const deleting = sink.deleteMany([...keys, 'packs/none'])
  while (calls('delete_batch') === 0) await sleep(5)
  const held = server.holdLock(400)
  const failed = await deleting
  await held
  expect(failed.size).toBe(70)
  expect(failed.get('packs/0/0')).toMatchObject({ code: 'throttled', key: 'packs/0/0', retryable: true })
  expect([...(await patient.deleteMany(keys))]).toEqual([])
  expect(await keysOf(sink)).toEqual(['other', 'packs/kept'])
})

test('a listing that Dropbox has forgotten fails, and begins again with another try', async () => {
  const { server, sink, patient } = await startBox({ pageEntries: 3 })
  const keys = Array.from({ length: 10 }, (_, i) => `packs/${i}`)
  for (const key of keys) await sink.put(key, bytes)
  const listing = sink.list('')[Symbol.asyncIterator]()
  await listing.next()
  server.listings.reset()
  const rest = async () => {
    while (!(await listing.next()).done) continue
  }
  await expect(rest()).rejects.toMatchObject({ code: 'unreachable' })
  const listed: string[] = []
  for await (const { key } of patient.list('')) {
    listed.push(key)
    if (listed.length === 1) server.listings.reset()
  }
  expect(listed.toSorted()).toEqual(keys)
})

test('files of other programs, with names that are no keys, are not listed', async () => {
  const { sink, another } = await startBox()
  await sink.put('object', bytes)
  await another({ path: '/tipbot/.hidden' }).put('x', bytes)
  await another({ path: '/tipbot/A folder' }).put('x', bytes)
  await another({ path: '' }).put('beside', bytes)
  expect(await keysOf(sink)).toEqual(['object'])
})

test('what a server in between answers is reported in one line, without tokens', async () => {
  const { server, sink } = await startBox()
  const token = server.refreshToken
  const html = `<html>\n<h1>Bad gateway</h1>\n${'x'.repeat(5000)}`
  server.fail({ type: 'answer', status: 502, body: html }, { route: 'files/upload' })
  const error = await sink.put('object', bytes).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'unreachable', message: expect.stringMatching(/^.{0,400}$/) })
  server.fail({ type: 'answer', status: 400, body: `what is ${token}?` }, { route: 'files/upload' })
  await expect(sink.put('object', bytes)).rejects.toMatchObject({
    code: 'protocol',
    message: expect.stringContaining('what is [secret]?'),
  })
})
