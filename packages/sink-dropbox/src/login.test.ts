import { expect, test } from 'vitest'
import { dropboxLogin } from './login.ts'
import { startBox } from './test-support/box.ts'

const refused = {
  name: 'SinkError',
  code: 'unauthorized',
  hint: expect.stringContaining('Begin the login again'),
}

test('a login gives a refresh token that a sink lives on, with the permissions that it needs and no more', async () => {
  const { server, another } = await startBox()
  const { appKey } = server
  const pages: URL[] = []
  const login = await dropboxLogin({
    appKey,
    apiUrl: server.apiUrl(),
    ask: async (url) => {
      pages.push(new URL(url))
      return ` ${server.tokens.authorize(url)}\n`
    },
  })
  const sink = another({ refreshToken: login.refreshToken })
  await sink.put('object', Buffer.from('bytes'))
  await sink.delete('object')
  for await (const { key } of sink.list('')) expect.unreachable(key)
  expect(Object.fromEntries(pages[0]?.searchParams ?? [])).toEqual({
    client_id: appKey,
    response_type: 'code',
    token_access_type: 'offline',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: 'S256',
    scope: 'account_info.read files.content.read files.content.write files.metadata.read',
  })
})

test('a code that is none, or empty, or of another login, is refused in one line', async () => {
  const { server } = await startBox()
  const options = { appKey: server.appKey, apiUrl: server.apiUrl() }
  await expect(dropboxLogin({ ...options, ask: async () => 'no-such-code' })).rejects.toMatchObject(refused)
  await expect(dropboxLogin({ ...options, ask: async () => ' \n' })).rejects.toMatchObject(refused)
  let stolen = ''
  const first = dropboxLogin({
    ...options,
    ask: async (url) => {
      stolen = server.tokens.authorize(url)
      return 'never given'
    },
  })
  await expect(first).rejects.toMatchObject(refused)
  const error: unknown = await dropboxLogin({ ...options, ask: async () => stolen }).catch((e: unknown) => e)
  expect(error).toMatchObject(refused)
  expect(String(error)).not.toContain(stolen)
})

test('a login is refused for an app that there is not, for a key that can not be one, and in the clear', async () => {
  const { server } = await startBox()
  const apiUrl = server.apiUrl()
  const ask = async () => 'code'
  await expect(dropboxLogin({ appKey: 'other', apiUrl, ask })).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringContaining('does not know this app'),
  })
  await expect(dropboxLogin({ appKey: '', apiUrl, ask })).rejects.toThrow('appKey is empty')
  const inTheClear = dropboxLogin({ appKey: 'a', apiUrl: 'http://example.com', ask })
  await expect(inTheClear).rejects.toThrow('begins with https://')
})

test('a login that is given up ends with the reason', async () => {
  const { server } = await startBox()
  const giveUp = new AbortController()
  const reason = new Error('no longer wanted')
  const ask = async (url: string) => {
    giveUp.abort(reason)
    return server.tokens.authorize(url)
  }
  const { appKey } = server
  const login = dropboxLogin({ appKey, apiUrl: server.apiUrl(), ask, signal: giveUp.signal })
  await expect(login).rejects.toBe(reason)
  expect(server.tokens.given).toBe(0)
})
