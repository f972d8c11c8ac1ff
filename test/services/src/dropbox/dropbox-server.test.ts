import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { type DropboxServer, startDropbox } from './dropbox-server.ts'

/** What a person, or Dropbox itself, does between the client's requests, by what the client prints. */
function answerTo(asked: string, dropbox: DropboxServer): string {
  const plain = { 'Content-Type': 'text/plain; charset=utf-8', 'Retry-After': '18' }
  const acts: Readonly<Record<string, () => void>> = {
    'rate limit': () => dropbox.fail({ type: 'rate-limit', reason: 'too_many_requests', seconds: 17 }),
    'rate limit in plain text': () =>
      dropbox.fail({ type: 'answer', status: 429, body: 'Too many requests', headers: plain }),
    expire: () => dropbox.tokens.expireAccess(),
    reset: () => dropbox.listings.reset(),
    revoke: () => dropbox.tokens.revoke(),
  }
  if (asked.startsWith('https://')) return dropbox.tokens.authorize(asked)
  acts[asked]?.()
  return 'done'
}

test("Dropbox's own client for Python gets the answers, and the errors, that it expects", async () => {
  await using dropbox = await startDropbox({ quotaBytes: 10 * 1024 * 1024 })
  // Debian's own Python, which has Debian's libraries; another python3 may come first on the PATH.
  const client = spawn('/usr/bin/python3', [join(import.meta.dirname, 'official-client.py')], {
    env: { STAND_IN: `http://127.0.0.1:${dropbox.port}`, APP_KEY: dropbox.appKey, PYTHONWARNINGS: 'ignore' },
  })
  const [said, complaints] = await Promise.all([
    (async () => {
      let last = ''
      for await (const line of createInterface(client.stdout)) {
        last = line
        client.stdin.write(`${answerTo(line, dropbox)}\n`)
      }
      return last
    })(),
    text(client.stderr),
  ])
  expect({ said, complaints }).toEqual({ said: 'understood', complaints: '' })
})

interface Call {
  readonly host?: 'api' | 'content'
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const JSON_TYPE = { 'Content-Type': 'application/json' }
const BYTES_TYPE = { 'Content-Type': 'application/octet-stream' }
const upload = (argument: string): Call => ({
  host: 'content',
  path: '2/files/upload',
  headers: { ...BYTES_TYPE, 'Dropbox-API-Arg': argument },
})
const rpc = (route: string, argument: object): Call => ({
  path: `2/files/${route}`,
  headers: JSON_TYPE,
  body: JSON.stringify(argument),
})

test.for<[what: string, call: Call, said: RegExp]>([
  ['a route that there is not', rpc('none', {}), /^404 Unknown API function/],
  ['the host of the other routes', { ...upload('{}'), host: 'api' }, /^400 .*"https:\/\/content\./],
  ['another method', { path: '2/files/list_folder', method: 'GET' }, /^400 .*got GET/],
  [
    'a body of no type',
    { ...rpc('list_folder', {}), headers: { 'Content-Type': 'text/html' } },
    /^400 .*Bad HTTP "Content-Type"/,
  ],
  ['bytes without an argument', { ...upload(''), headers: BYTES_TYPE }, /^400 .*Dropbox-API-Arg/],
  ['an argument that is no JSON', upload('{'), /^400 .*could not decode input as JSON/],
  ['a header that is not ASCII', upload('{"path": "/ä"}'), /^400 .*could not decode input as JSON/],
  ['a field that is not in the specification', upload('{"path": "/a", "hash": ""}'), /unknown field 'hash'/],
  ['a field that is missing', rpc('get_metadata', {}), /missing required field 'path'/],
  ['a value of another type', rpc('get_metadata', { path: 7 }), /path: expected string, got integer/],
  ['a tag that there is not', upload('{"path": "/a", "mode": "replace"}'), /mode: unknown tag 'replace'/],
  ['a path that begins with no slash', rpc('delete_v2', { path: 'a' }), /did not match pattern/],
  ['the root as a slash', rpc('list_folder', { path: '/' }), /empty string rather than as "\/"/],
  ['too long a page', rpc('list_folder', { path: '', limit: 2001 }), /not within range \[1, 2000\]/],
  ['a hash of another length', upload('{"path": "/a", "content_hash": "00"}'), /at least 64 characters/],
  [
    'more deletes than one batch has',
    rpc('delete_batch', { entries: Array.from({ length: 1001 }, () => ({ path: '/a' })) }),
    /more than 1000 items/,
  ],
])('%s is refused, and nothing is done', async ([, call, said]) => {
  await using dropbox = await startDropbox()
  const { host = 'api', path, method = 'POST', headers = {}, body } = call
  const token = dropbox.tokens.accessFor(dropbox.refreshToken)
  const response = await fetch(`${host === 'api' ? dropbox.apiUrl() : dropbox.contentUrl()}/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...headers },
    ...(body !== undefined && { body }),
  })
  expect(`${response.status} ${await response.text()}`).toMatch(said)
  expect(dropbox.account.changeCount).toBe(0)
})

test('two changes at once: the second is asked to come back, whichever way Dropbox has of saying so', async () => {
  for (const contentionStatus of [409, 429] as const) {
    await using dropbox = await startDropbox({ commitMs: 100, contentionStatus })
    const token = dropbox.tokens.accessFor(dropbox.refreshToken)
    const answers = await Promise.all(
      ['/a', '/b'].map(async (path) => {
        const response = await fetch(`${dropbox.contentUrl()}/2/files/upload`, {
          method: 'POST',
          headers: {
            Authorization: `Bearer ${token}`,
            ...BYTES_TYPE,
            'Dropbox-API-Arg': JSON.stringify({ path }),
          },
        })
        return [response.status, response.headers.get('retry-after'), await response.text()] as const
      }),
    )
    const refused = answers.find(([status]) => status !== 200)
    expect(refused).toMatchObject([
      contentionStatus,
      contentionStatus === 429 ? '1' : null,
      expect.anything(),
    ])
    expect(refused?.[2]).toContain('too_many_write_operations')
    expect(dropbox.account.files).toHaveLength(1)
  }
})

test('a session is forgotten after 7 days, and a code after 10 minutes', async () => {
  let now = Date.now()
  await using dropbox = await startDropbox({ now: () => now, accessTokenSeconds: 30 * 86_400 })
  const headers = {
    Authorization: `Bearer ${dropbox.tokens.accessFor(dropbox.refreshToken)}`,
    ...BYTES_TYPE,
  }
  const call = async (route: string, argument: object): Promise<string> => {
    const response = await fetch(`${dropbox.contentUrl()}/2/files/upload_session/${route}`, {
      method: 'POST',
      headers: { ...headers, 'Dropbox-API-Arg': JSON.stringify(argument) },
    })
    return response.text()
  }
  const { session_id } = JSON.parse(await call('start', {})) as { session_id: string }
  const argument = { cursor: { session_id, offset: 0 } }
  now += 7 * 86_400_000 - 1
  expect(await call('append_v2', argument)).toBe('null')
  now += 1
  expect(await call('append_v2', argument)).toContain('not_found')

  const page = `https://www.dropbox.com/oauth2/authorize?client_id=app-key&response_type=code&code_challenge=${'a'.repeat(43)}&code_challenge_method=plain`
  const exchange = (code: string) =>
    dropbox.tokens.exchange(
      new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'app-key',
        code,
        code_verifier: 'a'.repeat(43),
      }),
      undefined,
    )
  const [good, late] = [dropbox.tokens.authorize(page), dropbox.tokens.authorize(page)]
  expect(exchange(good)).toMatchObject({ token_type: 'bearer' })
  expect(() => exchange(good)).toThrow('invalid_grant')
  now += 10 * 60_000
  expect(() => exchange(late)).toThrow('invalid_grant')
})
