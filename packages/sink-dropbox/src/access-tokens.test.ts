import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { keysOf, startBox, stream } from './test-support/box.ts'

const bytes = randomBytes(1000)

test('an access token that has expired is renewed once, for all who wait for it', async () => {
  const { server, sink } = await startBox()
  await sink.put('before', bytes)
  server.tokens.expireAccess()
  const given = server.tokens.given
  await Promise.all(Array.from({ length: 8 }, (_, i) => sink.put(`after/${i}`, bytes)))
  expect(server.tokens.given - given).toBe(1)
  expect(await keysOf(sink)).toHaveLength(9)
})

test('an access token is renewed before it ends, so that no upload is refused at its end', async () => {
  let now = Date.now()
  const { server, another } = await startBox({ accessTokenSeconds: 1000, now: () => now })
  const sink = another({ now: () => now })
  await sink.put('first', bytes)
  now += 949_000
  await sink.put('second', bytes)
  expect(server.tokens.given).toBe(1)
  now += 2000
  await sink.put('third', bytes)
  expect(server.tokens.given).toBe(2)
})

test('an access token beside a refresh token is used while it is good, and renewed then', async () => {
  const { server, another } = await startBox()
  const sink = another({ accessToken: server.tokens.accessFor(server.refreshToken) })
  await sink.put('first', bytes)
  expect(server.tokens.given).toBe(1)
  server.tokens.expireAccess()
  await sink.put('second', bytes)
  expect(server.tokens.given).toBe(2)
})

test('a login that was withdrawn is one clear line that says what to do, and holds no token', async () => {
  const { server, sink, patient, waits } = await startBox()
  await sink.put('object', bytes)
  server.tokens.revoke()
  const error: unknown = await patient.put('object', bytes).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'unauthorized',
    message: 'sink "box": the login is not valid, or was withdrawn',
    hint: 'Run `pipe-backup dropbox login` to connect it again.',
  })
  expect(waits).toEqual([])
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(server.refreshToken)
})

test('an access token alone is of use until it has expired', async () => {
  const { server, another } = await startBox()
  const alone = { refreshToken: undefined, appKey: undefined }
  const sink = another({ ...alone, accessToken: server.tokens.accessFor(server.refreshToken) } as object)
  await sink.put('object', bytes)
  server.tokens.expireAccess()
  await expect(sink.get('object')).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringContaining('has expired'),
  })
})

test('the key of another app is reported as such', async () => {
  const { another } = await startBox()
  await expect(another({ appKey: 'other' }).head('object')).rejects.toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('appKey'),
  })
})

test('a login by secret needs it at every renewal; with it, it is renewed', async () => {
  const { server, another } = await startBox()
  const refreshToken = server.tokens.grant(['files.metadata.read'], false)
  await expect(another({ refreshToken }).head('object')).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(another({ refreshToken, appSecret: 'wrong' }).head('object')).rejects.toMatchObject({
    code: 'unauthorized',
  })
  const { appSecret } = server
  await expect(another({ refreshToken, appSecret }).head('object')).resolves.toBeUndefined()
})

test('an app without a permission is refused with the one to tick', async () => {
  const { server, another } = await startBox()
  const reader = another({ refreshToken: server.tokens.grant(['files.metadata.read']) })
  await expect(reader.head('object')).resolves.toBeUndefined()
  await expect(reader.put('object', bytes)).rejects.toMatchObject({
    code: 'forbidden',
    hint: expect.stringContaining('files.content.write'),
  })
})

test('who gives up waiting for a token takes it from nobody else', async () => {
  const { server, sink } = await startBox()
  server.fail({ type: 'stall' }, { route: 'oauth2/token' })
  const giveUp = new AbortController()
  const first = sink.head('a', { signal: giveUp.signal })
  const second = sink.head('b', { signal: giveUp.signal })
  await sleep(50)
  giveUp.abort(new Error('no longer wanted'))
  await expect(first).rejects.toThrow('no longer wanted')
  await expect(second).rejects.toThrow('no longer wanted')
  await expect(sink.head('c')).resolves.toBeUndefined()
})

test('a token that is found to have expired while the put waits for its turn holds nothing up', async () => {
  const { server, sink, calls } = await startBox({ commitMs: 300 })
  const streaming = stream(sink, 'streamed', randomBytes(9 * 1024 * 1024))
  while (calls('upload_session/finish_batch_v2') === 0) await sleep(1)
  server.tokens.expireAccess()
  await sink.put('object', randomBytes(300_000))
  await streaming
  expect(await keysOf(sink)).toEqual(['object', 'streamed'])
})
