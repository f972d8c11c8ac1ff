import { readdirSync } from 'node:fs'
import type { Sink } from '@pipe-backup/sink'
import { type SshServer, startRclone, startSshd } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { sftpSink } from './sftp-sink.ts'
import { type FakeServer, startFakeServer } from './test-support/fake-server.ts'

const bytes = (text: string) => Buffer.from(text)

function open({ host, port, hostKey, ...login }: FakeServer | SshServer, path = '/'): Sink {
  const as = 'identity' in login ? { user: login.user, identity: login.identity } : login
  return sftpSink({ name: 'ssh', host, port, hostKey, path, ...as })
}

test.for([
  ['and renames in one step', ['posix-rename@openssh.com', 'hardlink@openssh.com']],
  ['and nothing else', ['hardlink@openssh.com']],
] as const)(
  'a server that announces links, makes none and answers OK, %s, stores all the same, and ifAbsent replaces nothing',
  async ([, extensions]) => {
    await using server = await startFakeServer({ extensions })
    await using sink = open(server)
    await sink.put('packs/object', bytes('first'), { ifAbsent: true })
    expect(server.files.get('/packs/object')?.toString()).toBe('first')
    const again = sink.put('packs/object', bytes('other'), { ifAbsent: true })
    await expect(again).rejects.toMatchObject({ code: 'exists' })
    expect(server.files.get('/packs/object')?.toString()).toBe('first')
    await sink.put('packs/object', bytes('another'))
    expect([...server.files]).toEqual([['/packs/object', bytes('another')]])
  },
)

test('a server that says that it has renamed, and has not, is not believed', async () => {
  await using server = await startFakeServer({ extensions: ['posix-rename@openssh.com'], renames: false })
  await using sink = open(server)
  const lost = { code: 'protocol', message: expect.stringContaining('has nothing under its name') }
  await expect(sink.put('object', bytes('first'))).rejects.toMatchObject(lost)
  await expect(sink.put('object', bytes('first'), { ifAbsent: true })).rejects.toMatchObject(lost)
  expect([...server.files.keys()]).toEqual([])
})

test('a server that says that it has renamed over an object, and has left the old one, is not believed', async () => {
  await using server = await startFakeServer({ extensions: ['posix-rename@openssh.com'], renames: false })
  server.files.set('/object', bytes('old object'))
  await using sink = open(server)
  await expect(sink.put('object', bytes('new'))).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
})

async function listed(sink: Sink): Promise<object[]> {
  const objects: object[] = []
  for await (const { key, sizeBytes } of sink.list('')) objects.push({ key, sizeBytes })
  return objects
}

test('a server whose listings are names alone is asked for the rest', async () => {
  await using server = await startFakeServer({ extensions: [], mode: 0o100600 })
  await using sink = open(server)
  await sink.put('object', bytes('first'))
  expect(await listed(sink)).toEqual([{ key: 'object', sizeBytes: 5 }])
})

test('a server whose listings are names alone is freed of what a killed put has left a day ago', async () => {
  await using server = await startFakeServer({ extensions: [], mode: 0o100600, age: 2 * 86_400 })
  server.files.set('/.tmp/left', bytes('half'))
  await using sink = open(server)
  await sink.put('object', bytes('first'))
  expect([...server.files.keys()]).toEqual(['/object'])
})

test.for([
  ['nothing', undefined],
  ['permissions alone', 0o600],
] as const)('a server that says %s of what a file is, is not taken for an empty one', async ([, mode]) => {
  await using server = await startFakeServer({ extensions: [], mode })
  await using sink = open(server)
  await sink.put('object', bytes('first'))
  await expect(listed(sink)).rejects.toMatchObject({ code: 'protocol', key: 'object' })
})

test('rclone serve sftp: what is put with ifAbsent is there, and nothing is left beside it', async () => {
  await using server = await startRclone()
  const { local, remote } = server.makePlace()
  await using sink = open(server, remote)
  await sink.put('vault.json', bytes('first'), { ifAbsent: true })
  expect(Buffer.from(await sink.get('vault.json')).toString()).toBe('first')
  await expect(sink.put('vault.json', bytes('other'), { ifAbsent: true })).rejects.toMatchObject({
    code: 'exists',
  })
  expect(readdirSync(local).sort()).toEqual(['.tmp', 'vault.json'])
})

/** One whose SFTP is what a shell does first. */
const printing = (script: string): Promise<SshServer> =>
  startSshd({ forcedCommand: () => `${script}; exec /usr/lib/openssh/sftp-server` })

test.for([
  ['a line', 'echo Welcome to this server', '"Welc"'],
  ['two letters', 'echo Hi', '"Hi"'],
  ['what is no ASCII', "printf '\\303\\211t\\303\\251'", ''],
] as const)(
  'a login that prints %s is reported as that, and is not to be tried again',
  async ([, script, shown]) => {
    await using server = await printing(script)
    await using sink = open(server, '.')
    const failure = await sink.head('object').catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'protocol',
      retryable: false,
      hint: 'Does a start-up file of the server’s shell print something?',
      message: expect.stringContaining(shown),
    })
  },
)
