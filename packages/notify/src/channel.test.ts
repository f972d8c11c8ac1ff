import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { startSmtp } from '@pipe-backup-test/services'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openChannel } from './channel.ts'
import { deliver } from './deliver.ts'
import type { Notice } from './notice.ts'
import { formatOf, type WebhookFormat, webhookRequest } from './webhook.ts'

const NOTICES: readonly Notice[] = [
  {
    level: 'failure',
    subject: 'sink aws',
    message: 'there is no room left',
    hint: 'Free some.',
    since: '2026-11-23T10:00:00Z',
  },
  { level: 'recovery', subject: 'sink box', message: 'was: unreachable' },
]
const ORIGIN = 'tipbot on server1'

let server: Server
let base: string
let requests: { url: string; headers: IncomingHttpHeaders; body: string }[]
/** What the next requests are answered with; 200 when there is none. */
let answers: number[]
beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ url: request.url ?? '', headers: request.headers, body })
      response.writeHead(answers.shift() ?? 200, { location: '/elsewhere' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())
beforeEach(() => {
  requests = []
  answers = []
})

test.for<[WebhookFormat, (body: string) => string]>([
  ['generic', (body) => JSON.parse(body).text],
  ['slack', (body) => JSON.parse(body).text],
  ['discord', (body) => JSON.parse(body).content],
  ['telegram', (body) => JSON.parse(body).text],
  ['ntfy', (body) => body],
])('a webhook in the shape of %s says what failed, since when, and what to do', async ([format, textOf]) => {
  await openChannel({ type: 'webhook', url: `${base}/hook?chat_id=1`, format }, ORIGIN).send(NOTICES)
  const said = textOf(requests[0]?.body ?? '')
  expect(said).toContain(
    'sink aws FAILED: there is no room left\n  since 2026-11-23T10:00:00Z\n  what to do: Free some.',
  )
  expect(said).toContain('sink box works again: was: unreachable')
  expect(requests[0]?.url).toBe('/hook?chat_id=1')
})

test('the shape is known by the host', () => {
  expect(
    [
      'https://hooks.slack.com/x',
      'https://discord.com/api/webhooks/x',
      'https://api.telegram.org/botX/sendMessage',
      'https://ntfy.sh/topic',
      'https://example.com/x',
    ].map(formatOf),
  ).toEqual(['slack', 'discord', 'telegram', 'ntfy', 'generic'])
})

test('a server that is overloaded for a moment is tried again; one that refuses is not', async () => {
  const channel = openChannel({ type: 'webhook', url: `${base}/secret-path` }, ORIGIN)
  answers = [503]
  await channel.send(NOTICES)
  expect(requests).toHaveLength(2)
  requests = []
  answers = [404]
  await expect(channel.send(NOTICES)).rejects.toThrow(/^127\.0\.0\.1:\d+ answers 404$/)
  expect(requests).toHaveLength(1)
})

test('a redirect is not followed, and no error holds the path of the address', async () => {
  answers = [302]
  const failing = openChannel({ type: 'webhook', url: `${base}/secret-path` }, ORIGIN).send(NOTICES)
  await expect(failing).rejects.toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('secret') }),
  )
  expect(requests).toHaveLength(1)
  const dead = openChannel({ type: 'webhook', url: 'http://127.0.0.1:9/secret-path' }, ORIGIN).send(NOTICES)
  await expect(dead).rejects.toThrow(/^127\.0\.0\.1:9 can't be reached(?!.*secret)/)
})

test('a ping reports the start, the success, and the failure with its text', async () => {
  const channel = openChannel({ type: 'ping', url: `${base}/uuid/?create=1` }, ORIGIN)
  await channel.ping?.('start', '')
  await channel.ping?.('success', '')
  await channel.ping?.('fail', 'why')
  expect(requests.map(({ url, body }) => [url, body])).toEqual([
    ['/uuid/start?create=1', ''],
    ['/uuid?create=1', ''],
    ['/uuid/fail?create=1', 'why'],
  ])
})

test('a command gets the message on its standard input, and no shell', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'notify-'))
  const out = join(directory, 'out')
  await openChannel(
    { type: 'command', run: ['sh', '-c', 'cat > "$0"; echo "$PIPE_BACKUP_LEVEL" >> "$0"', out] },
    ORIGIN,
  ).send(NOTICES)
  expect(readFileSync(out, 'utf8')).toMatch(
    /^pipe-backup tipbot on server1: sink aws FAILED and 1 more\n\n[^]*\nfailure\n$/,
  )
  rmSync(directory, { recursive: true })
  await expect(
    openChannel({ type: 'command', run: ['sh', '-c', 'echo why >&2; exit 2'] }, ORIGIN).send(NOTICES),
  ).rejects.toThrow('sh failed: why')
})

test('mail goes out as plain text, with a login; a wrong one is reported without the password', async () => {
  await using smtp = await startSmtp()
  const url = (password: string) =>
    `smtp://${smtp.user}:${encodeURIComponent(password)}@${smtp.host}:${smtp.port}`
  const mail = { type: 'email', from: 'backup@example.com', to: ['a@example.com', 'b@example.com'] } as const
  await openChannel({ ...mail, smtp: url(smtp.password) }, ORIGIN).send(NOTICES)
  expect(smtp.mails).toMatchObject([{ from: mail.from, to: mail.to, user: smtp.user }])
  expect(smtp.mails[0]?.source).toContain(
    'Subject: pipe-backup tipbot on server1: sink aws FAILED and 1 more',
  )
  expect(smtp.mails[0]?.source).toContain('what to do: Free some.')
  const refused = openChannel({ ...mail, smtp: url('hunter2') }, ORIGIN).send(NOTICES)
  await expect(refused).rejects.toThrow(/^127\.0\.0\.1 did not take the mail: (?!.*hunter2).*Invalid/)
})

test('a server that offers STARTTLS is spoken to over TLS, and one whose certificate nobody vouches for gets nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'notify-'))
  const at = (name: string) => join(directory, name)
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=127.0.0.1',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      at('key'),
      '-out',
      at('cert'),
    ],
    { stdio: 'ignore' },
  )
  const [key, cert] = [readFileSync(at('key'), 'utf8'), readFileSync(at('cert'), 'utf8')]
  rmSync(directory, { recursive: true })
  await using smtp = await startSmtp({ key, cert })
  const mail = {
    type: 'email',
    smtp: `smtp://${smtp.user}:${encodeURIComponent(smtp.password)}@${smtp.host}:${smtp.port}`,
    from: 'backup@example.com',
    to: ['a@example.com'],
  } as const
  await openChannel({ ...mail, ca: cert }, ORIGIN).send(NOTICES)
  expect(smtp.mails).toMatchObject([{ isSecure: true }])
  await expect(openChannel(mail, ORIGIN).send(NOTICES)).rejects.toThrow(/certificate/)
  expect(smtp.mails).toHaveLength(1)
})

test('one channel that fails stops no other, and is given what it missed the next time', async () => {
  const good = openChannel({ type: 'webhook', url: `${base}/good` }, ORIGIN)
  const broken = openChannel({ type: 'webhook', url: `${base}/broken` }, ORIGIN)
  answers = []
  const dead = openChannel({ type: 'webhook', url: 'http://127.0.0.1:9/' }, ORIGIN)
  const first = await deliver([good, dead], NOTICES, {})
  expect(first.failures.map(({ channel }) => channel)).toEqual(['webhook 127.0.0.1:9'])
  expect(requests).toHaveLength(1)
  const second = await deliver([{ ...broken, id: dead.id }], [], first.pending)
  expect(second).toEqual({ pending: {}, failures: [] })
  expect(requests.at(-1)?.body).toContain('there is no room left')
})

test('a delivery that is cut short keeps what it could not bring, and loses nothing that arrived', async () => {
  const good = openChannel({ type: 'webhook', url: `${base}/good` }, ORIGIN)
  const slow = openChannel({ type: 'command', run: ['sleep', '60'] }, ORIGIN)
  const { pending, failures } = await deliver([good, slow], NOTICES, {}, AbortSignal.timeout(500))
  expect([requests.length, Object.keys(pending), failures.length]).toEqual([1, [slow.id], 1])
})

test('two channels of one host are two, and a login in the address is one', async () => {
  const url = base.replace('//', '//user:pass%20word@')
  const channels = ['a', 'b'].map((path) => openChannel({ type: 'webhook', url: `${url}/${path}` }, ORIGIN))
  expect(new Set(channels.map(({ id }) => id)).size).toBe(2)
  await deliver(channels, NOTICES, {})
  expect(requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:pass word').toString('base64')}`)
})

test('a login that is a password alone is used; one that can not be read is reported at once', async () => {
  const seen: (string | undefined)[] = []
  const other = createServer((request, response) => {
    seen.push(request.headers.authorization)
    request.resume().on('end', () => response.end())
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(other.address() as AddressInfo).port}`
  const webhook = (login: string) =>
    openChannel({ type: 'webhook', url: `http://${login}@${host}/x` }, ORIGIN)
  await webhook(':tk_secret').send(NOTICES)
  expect(seen).toEqual([`Basic ${btoa(':tk_secret')}`])
  const wrong = { message: expect.not.stringContaining('off'), hint: 'Write a % in it as %25.' }
  await expect(webhook('bot:50%off').send(NOTICES)).rejects.toMatchObject(wrong)
  const email = { type: 'email', smtp: `smtp://bot:50%off@${host}`, from: 'a@b.c', to: ['d@e.f'] } as const
  await expect(openChannel(email, ORIGIN).send(NOTICES)).rejects.toMatchObject(wrong)
  other.close()
})

test('a text that is cut short ends with a whole character', () => {
  for (const length of [1800, 1801]) {
    const notices: Notice[] = [
      { level: 'failure', subject: 's', message: 'x'.repeat(length) + '😀'.repeat(99) },
    ]
    const { body } = webhookRequest('https://discord.com/x', 'discord', ORIGIN, notices)
    expect(String(JSON.parse(body).content).isWellFormed()).toBe(true)
  }
})

test('a command may leave something running, which nobody waits for', async () => {
  const started = performance.now()
  await openChannel({ type: 'command', run: ['sh', '-c', 'sleep 10 & true'] }, ORIGIN).send(NOTICES)
  expect(performance.now() - started).toBeLessThan(5000)
})

test('a command finds nothing in its environment that may be a secret', async () => {
  process.env['SECRET_OF_SOMEBODY'] = 'hunter2'
  const run = ['sh', '-c', 'if env | grep -q hunter2; then exit 1; fi']
  const sending = openChannel({ type: 'command', run }, ORIGIN).send(NOTICES)
  await expect(sending).resolves.toBeUndefined()
  delete process.env['SECRET_OF_SOMEBODY']
})

test('a channel hears only of what it is for', async () => {
  await openChannel({ type: 'webhook', url: base, on: ['recovery'] }, ORIGIN).send(NOTICES)
  await openChannel({ type: 'webhook', url: base, on: ['success'] }, ORIGIN).send(NOTICES)
  expect(requests.map(({ body }) => JSON.parse(body).notices.length)).toEqual([1])
})

test('a test message comes whatever the channel is for, and a ping that has no log was reached', async () => {
  const webhook = openChannel({ type: 'webhook', url: base, on: ['failure'] }, ORIGIN)
  await webhook.test()
  expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ level: 'success' })
  const ping = openChannel({ type: 'ping', url: `${base}/uuid` }, ORIGIN)
  answers = [404]
  await ping.test()
  expect(requests[1]?.url).toBe('/uuid/log')
  answers = [403]
  await expect(ping.test()).rejects.toThrow('answers 403')
})

test('what goes over the network in the clear is known to do so', () => {
  const isPrivate = (url: string) => openChannel({ type: 'webhook', url }, ORIGIN).isPrivate
  expect(['https://ntfy.sh/x', 'http://127.0.0.1:8080/x', 'http://[::1]/x'].map(isPrivate)).not.toContain(
    false,
  )
  expect(isPrivate('http://ntfy.example.com/x')).toBe(false)
})

test('Slack gets its three letters as they are to be shown, and no mention of everybody', async () => {
  const message = 'a <!channel> & b'
  await openChannel({ type: 'webhook', url: base, format: 'slack' }, ORIGIN).send([
    { level: 'failure', subject: 'run', message },
  ])
  expect(JSON.parse(requests[0]?.body ?? '').text).toContain('a &lt;!channel&gt; &amp; b')
})
