import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sandbox } from './sandbox.ts'
import { makeUiVault, phraseOf, startUi, type UiServer } from './ui-server.ts'

let sandbox: Sandbox
let ui: UiServer
let cookie: string
beforeAll(async () => {
  sandbox = await makeUiVault()
  ui = await startUi(sandbox)
  const opened = await fetch(ui.address, { redirect: 'manual' })
  cookie = opened.headers.get('set-cookie') ?? ''
  cookie = cookie.slice(0, cookie.indexOf(';'))
})
afterAll(async () => {
  await ui[Symbol.asyncDispose]()
  sandbox[Symbol.dispose]()
})

/** As `fetch`, with headers that it would not let through. */
async function ask(
  path: string,
  headers: Record<string, string>,
  method = 'GET',
  body = '',
): Promise<{ status: number | undefined; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: string }>()
  request(`${ui.origin}${path}`, { method, headers }, (answer) => {
    text(answer).then((found) => resolve({ status: answer.statusCode, body: found }), reject)
  })
    .on('error', reject)
    .end(body)
  return await promise
}

const post = async (path: string, body: object, headers: Record<string, string> = {}) =>
  await ask(path, { cookie, origin: ui.origin, ...headers }, 'POST', JSON.stringify(body))
const get = async (path: string) => await ask(path, { cookie })

test('the address works once, and gives a cookie that no script and no other site gets', async () => {
  const other = await startUi(sandbox, 'other-machine')
  const first = await fetch(other.address, { redirect: 'manual' })
  expect([first.status, first.headers.get('location')]).toEqual([303, '/'])
  expect(first.headers.get('set-cookie')).toMatch(/; HttpOnly; SameSite=Strict$/)
  const again = await fetch(other.address, { redirect: 'manual' })
  expect([again.status, again.headers.get('set-cookie')]).toEqual([401, null])
  expect((await fetch(`${other.origin}/?token=${'A'.repeat(43)}`)).status).toBe(401)
  expect(await other.stop()).toBe(0)
})

test('without the cookie nothing is given, not even the page', async () => {
  for (const path of ['/', '/icon.svg', '/api/session', '/api/overview', '/api/download?snapshot=x&path=x'])
    expect((await ask(path, {})).status, path).toBe(401)
  expect((await ask('/api/session', { cookie: cookie.replace(/=.*/, '=x') })).status).toBe(401)
  expect((await get('/api/session')).status).toBe(200)
})

test('another name for this machine is refused: DNS rebinding', async () => {
  const { port } = new URL(ui.origin)
  for (const host of [`evil.example:${port}`, '127.0.0.1', `127.0.0.1.evil.example:${port}`])
    expect((await ask('/api/session', { cookie, host })).status, host).not.toBe(200)
  expect((await ask('/api/session', { cookie, host: `localhost:${port}` })).status).toBe(200)
})

test('another page can neither ask nor change anything', async () => {
  for (const origin of ['http://evil.example', 'null', `${ui.origin}0`, ui.origin.replace('http', 'https')])
    expect((await post('/api/phrase/forget', {}, { origin })).status, origin).toBe(403)
  expect((await ask('/api/phrase/forget', { cookie }, 'POST', '{}')).status).toBe(403)
  for (const site of ['cross-site', 'same-site'])
    expect((await ask('/api/session', { cookie, 'sec-fetch-site': site })).status, site).toBe(403)
  expect((await ask('/api/session', { cookie, origin: ui.origin }, 'DELETE')).status).toBe(405)
  expect((await get('/api/phrase/forget')).status).toBe(404)
})

test('every answer has a strict policy', async () => {
  for (const path of ['/', '/api/session', '/nothing', '/assets/../../package.json']) {
    const answer = await fetch(`${ui.origin}${path}`, { headers: { cookie } })
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy, path).toContain("default-src 'self'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
  const page = (await get('/')).body
  expect(page).not.toMatch(/<script(?![^>]*\ssrc="\/)|<style|\sstyle=|\son\w+=|https?:/)
})

test('what is in a snapshot needs the phrase, a wrong one opens nothing, and it is forgotten at once', async () => {
  const { snapshots } = JSON.parse((await get('/api/snapshots')).body)
  const [{ id }] = snapshots
  const path = Buffer.from(`tree${sandbox.path('tree')}/docs`).toString('base64url')
  const asked = [
    `/api/children?snapshot=${id}`,
    `/api/children?snapshot=${id}&path=${path}`,
    '/api/find?pattern=*.json',
    `/api/differences?before=${snapshots[1].id}&after=${id}`,
    `/api/download?snapshot=${id}&path=${path}&as=tar`,
  ]
  for (const question of asked) expect((await get(question)).status, question).toBe(423)
  for (const kind of ['restore', 'drill'])
    expect((await post('/api/task', { kind, snapshot: id, path: '', to: sandbox.path('new') })).status).toBe(
      423,
    )
  const wrong = await post('/api/phrase', { phrase: 'abandon '.repeat(24) })
  expect([wrong.status, JSON.parse(wrong.body).error.code]).toEqual([422, 'bad-phrase'])
  expect((await post('/api/phrase', { phrase: phraseOf(sandbox) })).status).toBe(200)
  for (const question of asked) expect((await get(question)).status, question).toBe(200)
  expect((await post('/api/phrase/forget', {})).status).toBe(200)
  for (const question of asked) expect((await get(question)).status, question).toBe(423)
})

test('bad requests get a line', async () => {
  await post('/api/phrase', { phrase: phraseOf(sandbox) })
  const cases: readonly (readonly [Promise<{ status: number | undefined; body: string }>, number])[] = [
    [post('/api/task', { kind: 'rm' }), 400],
    [post('/api/phrase', { words: 1 }), 400],
    [ask('/api/task', { cookie, origin: ui.origin }, 'POST', 'no JSON'), 400],
    [post('/api/phrase', { phrase: 'x'.repeat(20_000) }), 413],
    [get('/api/children?snapshot=0000'), 404],
    [get('/api/find?pattern=../x'), 400],
    [get('/api/download?snapshot=&path='), 400],
    [post('/api/task', { kind: 'restore', path: '', to: '/tmp' }), 400],
    [post('/api/task', { kind: 'restore', snapshot: '0000', path: '', to: sandbox.path('new') }), 404],
    [post('/api/task', { kind: 'restore', snapshot: '0000', path: '', to: '../new' }), 400],
    [post('/api/task', { kind: 'drill', snapshot: '0000' }), 404],
  ]
  for (const [answer, status] of cases) {
    const { body, ...got } = await answer
    expect(got.status, body).toBe(status)
    expect(body).not.toContain('    at ')
  }
})

test('the configuration is shown without its secrets and the arguments of its commands', async () => {
  const { body } = await get('/api/configuration')
  expect(body).toContain('echo … (1 more)')
  expect(body).not.toMatch(/argument-of-a-command|secret-path/)
})

test('help loads neither the server nor the page, and a port that is taken is said', async () => {
  expect((await sandbox.ok(['ui', '--help'])).toString()).toContain('--port')
  const { code, err } = await sandbox.run(['ui', '--port', new URL(ui.origin).port])
  expect([code, err.split('\n')[0]]).toEqual([1, expect.stringMatching(/port \d+ can't be used: EADDRINUSE/)])
  expect((await sandbox.run(['ui', '--port', 'x'])).code).toBe(2)
})

test('a machine without a host key shows nothing before the phrase is given, and all after', async () => {
  await using other = await startUi(sandbox, 'new-machine')
  const opened = await fetch(other.address, { redirect: 'manual' })
  const headers = { cookie: opened.headers.get('set-cookie')?.split(';')[0] ?? '', origin: other.origin }
  const statusOf = async (path: string) => (await fetch(`${other.origin}/api/${path}`, { headers })).status
  expect([await statusOf('overview'), await statusOf('snapshots')]).toEqual([423, 423])
  const body = JSON.stringify({ phrase: phraseOf(sandbox) })
  expect((await fetch(`${other.origin}/api/phrase`, { method: 'POST', headers, body })).status).toBe(200)
  expect([await statusOf('overview'), await statusOf('snapshots')]).toEqual([200, 200])
})

test('a file that is damaged on every sink is no download that looks complete', async () => {
  await post('/api/phrase', { phrase: phraseOf(sandbox) })
  const [{ id }] = JSON.parse((await get('/api/snapshots')).body).snapshots
  const path = Buffer.from(`tree${sandbox.path('tree')}/docs/deep/large.bin`).toString('base64url')
  const download = async () =>
    await fetch(`${ui.origin}/api/download?snapshot=${id}&path=${path}`, { headers: { cookie } })
  const whole = Buffer.from(await (await download()).arrayBuffer())
  expect(whole.equals(readFileSync(sandbox.path('tree/docs/deep/large.bin')))).toBe(true)
  const files = readdirSync(sandbox.path('sinks'), { recursive: true, encoding: 'utf8' })
  const packs = files
    .map((name) => join(sandbox.path('sinks'), name))
    .filter((name) => statSync(name).isFile() && statSync(name).size > 500_000)
  // Its chunks are in one or two packs: that is left to chance.
  expect(packs.length).toBeGreaterThanOrEqual(2)
  for (const pack of packs) {
    chmodSync(pack, 0o600)
    const bytes = readFileSync(pack)
    const middle = Math.floor(bytes.length / 2)
    writeFileSync(pack, bytes.fill(0, middle, middle + 1000))
  }
  // The connection is cut, before the answer where it is the first chunk.
  const again = async () => await (await download()).arrayBuffer()
  await expect(again()).rejects.toThrow(/terminated|fetch failed/)
})

test('a restore into what can not be written, and one of damaged data, fail with a line and no stack', async () => {
  await post('/api/phrase', { phrase: phraseOf(sandbox) })
  const [{ id: snapshot }] = JSON.parse((await get('/api/snapshots')).body).snapshots
  const path = Buffer.from(`tree${sandbox.path('tree')}/docs`).toString('base64url')
  const file = sandbox.path('tree/docs/wallet.json')
  expect((await post('/api/task', { kind: 'restore', snapshot, path, to: file })).body).toContain(
    'no directory',
  )
  // The file that the test before has damaged on both sinks.
  const to = sandbox.path('damaged')
  expect((await post('/api/task', { kind: 'restore', snapshot, path, to })).status).toBe(200)
  const seen = await untilEnded()
  expect(seen).toContain('large.bin')
  expect(seen).toContain('"exitCode":1')
  expect(seen).not.toMatch(/ {4}at /)
  expect(readFileSync(`${to}/tree${file}`, 'utf8')).toBe('and the second')
})

async function untilEnded(): Promise<string> {
  const events = await fetch(`${ui.origin}/api/task/events`, { headers: { cookie } })
  let seen = ''
  for await (const piece of events.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    seen += piece
    if (seen.includes('"type":"ended"')) break
  }
  return seen
}

test('a run that was started is cancelled: it ends as after Ctrl-C, and another can be started', async () => {
  sandbox.configure({
    sources: [{ type: 'command', name: 'slow', run: ['sleep', '600'], path: 'slow.txt' }],
    sinks: sandbox.sinks('disk', 'usb'),
  })
  expect((await post('/api/task', { kind: 'run' })).status).toBe(200)
  const events = await fetch(`${ui.origin}/api/task/events`, { headers: { cookie } })
  expect((await post('/api/task', { kind: 'verify' })).status).toBe(409)
  let seen = ''
  for await (const piece of events.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    seen += piece
    // It has begun to read, and would do so for ten minutes.
    if (seen.includes('"phase":"reading"') && !seen.includes('stopping')) await post('/api/task/cancel', {})
    if (seen.includes('"type":"ended"')) break
  }
  expect(seen).toContain('"exitCode":143')
  expect((await post('/api/task', { kind: 'heal' })).status).toBe(200)
})
