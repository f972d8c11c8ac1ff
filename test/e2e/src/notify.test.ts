import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { readStateFile, writeStateFile } from '@pipe-backup/vault'
import { startConnectProxy, startSmtp } from '@pipe-backup-test/services'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

let server: Server
let base: string
let requests: { url: string; body: string }[]
beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ url: request.url ?? '', body })
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())
beforeEach(() => {
  requests = []
})

async function prepared(sandbox: Sandbox, notify: object[]): Promise<void> {
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
    copies: 1,
    notify,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}
const hooks = () => requests.filter(({ url }) => url === '/hook')
const pings = () => requests.map(({ url }) => url).filter((url) => url.startsWith('/ping'))

test('a sink that fails is reported once, and its recovery once; every run is pinged; no secret is in any notice', async () => {
  using sandbox = new Sandbox()
  await using smtp = await startSmtp()
  const env = { HOOK: `${base}/hook` }
  await prepared(sandbox, [
    { type: 'webhook', url: { env: 'HOOK' } },
    { type: 'ping', url: `${base}/ping` },
    {
      type: 'email',
      smtp: `smtp://${smtp.user}:${encodeURIComponent(smtp.password)}@${smtp.host}:${smtp.port}`,
      from: 'backup@example.com',
      to: ['admin@example.com'],
    },
    { type: 'command', run: ['sh', '-c', `cat >> '${sandbox.path('told')}'`] },
    // One that is broken stops no other.
    { type: 'webhook', url: 'http://127.0.0.1:9/very-secret' },
  ])
  const phrase = readFileSync(sandbox.path('phrase'), 'utf8').trim()
  await sandbox.ok(['run'], { env })
  expect([hooks().length, smtp.mails.length]).toEqual([0, 0])

  renameSync(sandbox.path('sinks/two'), sandbox.path('away'))
  const failing = await sandbox.run(['run'], { env })
  expect(failing.code).toBe(3)
  expect(failing.err).toContain("127.0.0.1:9 can't be reached")
  expect(failing.err).not.toContain('very-secret')
  await sandbox.run(['run'], { env })
  expect(hooks()).toHaveLength(1)
  const reported = JSON.parse(hooks()[0]?.body ?? '')
  expect(reported.level).toBe('failure')
  expect(reported.text).toMatch(/^sink two FAILED: .*is not there[^]*since 20[^]*what to do: /)

  renameSync(sandbox.path('away'), sandbox.path('sinks/two'))
  await sandbox.ok(['run'], { env })
  expect(JSON.parse(hooks()[1]?.body ?? '')).toMatchObject({ level: 'recovery' })
  expect(hooks()).toHaveLength(2)
  expect(smtp.mails.map(({ source }) => /^Subject: (.*)$/m.exec(source)?.[1])).toEqual([
    expect.stringContaining('sink two FAILED'),
    expect.stringContaining('sink two works again'),
  ])
  expect(pings()).toEqual(Array.from({ length: 4 }, () => ['/ping/start', '/ping']).flat())
  const everything = JSON.stringify([requests, smtp.mails]) + readFileSync(sandbox.path('told'), 'utf8')
  // Two words that follow one another: single ones are words of everybody's.
  const words = phrase.split(/\s+/)
  const pairs = words.slice(1).map((word, i) => `${words[i]} ${word}`)
  for (const secret of [...pairs, 'very-secret', smtp.password]) expect(everything).not.toContain(secret)
})

test('a run that fails as a whole is reported and pinged with why, damage is reported, and so is what has grown old', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, [
    { type: 'webhook', url: `${base}/hook` },
    { type: 'ping', url: `${base}/ping` },
  ])
  await sandbox.ok(['run'])
  requests = []
  renameSync(sandbox.path('tree'), sandbox.path('gone'))
  expect((await sandbox.run(['run'])).code).toBe(1)
  expect(pings()).toEqual(['/ping/start', '/ping/fail'])
  expect(JSON.parse(hooks()[0]?.body ?? '').text).toContain('run FAILED')
  renameSync(sandbox.path('gone'), sandbox.path('tree'))

  // Nothing has run for a week.
  const log = sandbox.path('home/state/pipe-backup/sandbox/notify.json')
  const saved = (await readStateFile(log)) as { lastGood: Record<string, string> }
  for (const subject of Object.keys(saved.lastGood)) saved.lastGood[subject] = '2026-01-01T00:00:00.000Z'
  await writeStateFile(log, saved)
  // A clock that was years ahead for a moment makes nothing fresh.
  saved.lastGood['sink one'] = '2099-01-01T00:00:00.000Z'
  await writeStateFile(log, saved)
  requests = []
  await sandbox.ok(['verify'])
  expect(readFileSync(log, 'utf8')).not.toContain('2099')
  expect(JSON.parse(hooks()[0]?.body ?? '').text).toMatch(
    /age of source tree FAILED: its last good copy is [\d,]+ hours old/,
  )
  await sandbox.ok(['verify'])
  expect(hooks()).toHaveLength(1)
  await sandbox.ok(['run'])
  expect(JSON.parse(hooks()[1]?.body ?? '').text).toContain('age of source tree works again')
})

test('a run that can not even begin is reported and pinged; a mistyped name is not', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, [
    { type: 'webhook', url: `${base}/hook` },
    { type: 'ping', url: `${base}/ping` },
  ])
  expect((await sandbox.run(['run', '--source', 'other'])).code).toBe(2)
  expect(requests).toEqual([])
  chmodSync(sandbox.path('home/config/pipe-backup/sandbox.key'), 0o644)
  expect((await sandbox.run(['scheduled'])).code).toBe(2)
  expect(pings()).toEqual(['/ping/fail'])
  expect(JSON.parse(hooks()[0]?.body ?? '').text).toMatch(
    /^run FAILED: .* can be read or written by others[^]*what to do: chmod 600 /,
  )
})

test('a schedule that can not be written down keeps nobody from backing up', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, [])
  mkdirSync(sandbox.path('home/state/pipe-backup/sandbox/schedule.json.new'), { recursive: true })
  const ran = await sandbox.run(['scheduled'])
  expect(ran.code).toBe(0)
  expect(ran.err).toContain('could not be written down')
  expect(String(ran.out)).toContain('on 2 of 2 sinks')
})

test('a prune that can not be done at all is reported, once, and when it works again', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, [{ type: 'webhook', url: `${base}/hook` }])
  const file = sandbox.path('pipe-backup.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), keep: { last: 9 } }))
  await sandbox.ok(['run'])
  const [head = ''] = readdirSync(sandbox.path('sinks/one/snapshots'))
  const heads = ['one', 'two'].map((sink) => sandbox.path('sinks', sink, 'snapshots', head))
  const whole = readFileSync(heads[0] ?? '')
  for (const path of heads) writeFileSync(path, whole.toReversed())
  for (let i = 0; i < 2; i++) expect((await sandbox.run(['prune'])).code).toBe(1)
  expect(hooks()).toHaveLength(1)
  expect(JSON.parse(hooks()[0]?.body ?? '').text).toMatch(
    /^prune FAILED: sink "one" is not pruned: .* is damaged[^]*what to do: Run `pipe-backup heal`/,
  )
  expect((await sandbox.run(['prune', '--dry-run'])).code).toBe(1)
  expect(hooks()).toHaveLength(1)
  for (const path of heads) writeFileSync(path, whole)
  await sandbox.ok(['prune'])
  expect(JSON.parse(hooks()[1]?.body ?? '').text).toContain('prune works again')
})

test('sinks and notifications go through the proxy of HTTPS_PROXY; one that makes no connection costs a line', async () => {
  using sandbox = new Sandbox()
  await using proxy = await startConnectProxy({ lets: false })
  const notify = [{ type: 'ping', url: 'https://hc.example/very-secret' }]
  await prepared(sandbox, notify)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: [...sandbox.sinks('one'), { type: 'webdav', name: 'dav', url: 'https://dav.example/place' }],
    copies: 1,
    notify,
  })
  const { code, err } = await sandbox.run(['run'], { env: { HTTPS_PROXY: proxy.url } })
  expect(code).toBe(3)
  expect(err).toContain('the proxy makes no connection to the server')
  expect(err).toContain("hc.example can't be reached")
  expect(err).not.toContain('very-secret')
  expect(new Set(proxy.asked)).toEqual(new Set(['dav.example:443', 'hc.example:443']))
})
