import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SlowLine, type SshServer, startSshd } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type SftpSinkOptions, sftpSink } from './sftp-sink.ts'

let server: SshServer
let login: Omit<SftpSinkOptions, 'path'>
beforeAll(async () => {
  server = await startSshd()
  const { host, port, user, identity, hostKey } = server
  login = { name: 'ssh', host, port, user, identity, hostKey }
})
afterAll(() => server[Symbol.asyncDispose]())

async function tryPut(options: Partial<SftpSinkOptions>): Promise<void> {
  const { hostKey: _, ...unpinned } = login
  const base = 'knownHosts' in options ? unpinned : login
  await using sink = sftpSink({ ...base, path: server.makePlace().remote, ...options })
  await sink.put('object', Buffer.from('bytes'))
}

/** A known_hosts file of this text. */
function knownHosts(text: string): readonly string[] {
  const path = join(server.makePlace().local, 'known_hosts')
  writeFileSync(path, text)
  return [path]
}

test('a key under a passphrase opens with it, and is refused in one clear line without', async () => {
  const { encryptedIdentity: identity, passphrase } = server
  await tryPut({ identity, passphrase })
  await expect(tryPut({ identity })).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(tryPut({ identity, passphrase: 'wrong' })).rejects.toThrow(/^sink "ssh": .*private key/)
})

test('a host in known_hosts is trusted', async () => {
  await expect(tryPut({ knownHosts: knownHosts(server.knownHostsLine) })).resolves.toBeUndefined()
})

test('an unknown host is refused, with the fingerprint to compare', async () => {
  await expect(tryPut({ knownHosts: [] })).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringContaining(server.hostKey),
    hint: expect.stringContaining('hostKey:'),
  })
})

test('a host that shows another key than the known one is refused, and so is a revoked key', async () => {
  const other = server.knownHostsLine.replace(
    /(AAAA\S{30})(.)/,
    (_, start: string, one: string) => start + (one === 'A' ? 'B' : 'A'),
  )
  await expect(tryPut({ knownHosts: knownHosts(other) })).rejects.toThrow('should be')
  const revoked = `@revoked ${server.knownHostsLine}`
  await expect(tryPut({ knownHosts: knownHosts(revoked) })).rejects.toThrow('revoked')
})

test('an identity that is not there is one clear line', async () => {
  await expect(tryPut({ identity: '/no/such/key' })).rejects.toThrow(
    "the private key /no/such/key can't be read (ENOENT)",
  )
})

test('create makes the directory, and those above it', async () => {
  const { remote } = server.makePlace()
  await using sink = sftpSink({ ...login, path: `${remote}/a/b`, create: true })
  await sink.put('packs/object', Buffer.from('bytes'))
  expect((await sink.head('packs/object'))?.sizeBytes).toBe(5)
})

test('what a killed client has left is removed a day later, and nothing else', async () => {
  const { local, remote } = server.makePlace()
  mkdirSync(join(local, '.tmp'))
  for (const name of ['old', 'new']) writeFileSync(join(local, '.tmp', name), 'half')
  utimesSync(join(local, '.tmp/old'), 1, 1)
  await using sink = sftpSink({ ...login, path: remote })
  await sink.put('object', Buffer.from('bytes'))
  expect(readdirSync(join(local, '.tmp'))).toEqual(['new'])
})

/** How many processes have an object open, as the kernel reports it. */
function openHandles(path: string): number {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes.flatMap((process) => {
    try {
      const files = readdirSync(`/proc/${process}/fd`)
      return files.filter((file) => readlinkSync(`/proc/${process}/fd/${file}`) === path)
    } catch {
      return []
    }
  }).length
}

test('a read stream that is destroyed before it is read, and a read that is aborted, leave no handle open on the server', async () => {
  const { local, remote } = server.makePlace()
  await using sink = sftpSink({ ...login, path: remote })
  await sink.put('object', Buffer.alloc(8 * 1024 * 1024))
  const stream = await sink.createReadStream('object')
  expect(openHandles(join(local, 'object'))).toBe(1)
  stream.destroy()
  await expect.poll(() => openHandles(join(local, 'object'))).toBe(0)
  const stop = new AbortController()
  const reading = sink.get('object', { signal: stop.signal, onBytes: async () => stop.abort() })
  await expect(reading).rejects.toThrow('aborted')
  await expect.poll(() => openHandles(join(local, 'object'))).toBe(0)
})

test('a put that is aborted while its file is being made leaves no file', async () => {
  const { local, remote } = server.makePlace()
  await using sink = sftpSink({ ...login, path: remote })
  await sink.put('first', Buffer.from('bytes'))
  for (let turns = 0; turns < 12; turns++) {
    const stop = new AbortController()
    const putting = sink.put('second', Buffer.from('bytes'), { signal: stop.signal })
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    // One that was through by then is a success; the first can't be.
    const [outcome] = await Promise.allSettled([putting])
    if (turns === 0 || outcome?.status === 'rejected') await expect(putting).rejects.toThrow('aborted')
  }
  await expect.poll(() => readdirSync(join(local, '.tmp'))).toEqual([])
})

/** Takes connections, and says nothing. */
async function startMute(): Promise<{ readonly port: number; readonly server: Server }> {
  const mute = createServer((socket) => socket.on('error', () => undefined).resume())
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  const address = mute.address()
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, server: mute }
}

test('a sink that is closed while it connects to a server that says nothing is closed at once, and fails nobody else', async () => {
  const { port, server: mute } = await startMute()
  const sink = sftpSink({ ...login, port, path: '.' })
  const waiting = expect(sink.head('object')).rejects.toMatchObject({ name: 'SinkError' })
  const connected = new Promise((resolve) => mute.once('connection', resolve))
  await connected
  await sink[Symbol.asyncDispose]()
  await waiting
  await expect(sink.head('object')).rejects.toThrow('was closed')
  // The end of its connection is reported twice: nobody may be left who does not listen.
  await new Promise((resolve) => mute.close(resolve))
})

test('a sink that is closed before it has begun to connect does not connect', async () => {
  const { port, server: mute } = await startMute()
  let connections = 0
  mute.on('connection', () => connections++)
  const sink = sftpSink({ ...login, port, path: '.' })
  const waiting = expect(sink.head('object')).rejects.toThrow('was closed')
  await sink[Symbol.asyncDispose]()
  await waiting
  expect(connections).toBe(0)
  mute.close()
})

test('a disk that is full is reported as such, by put and by stream, and nothing is left of what did not fit', async () => {
  const place = server.makePlace()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=777', 'none', place.local])
  onTestFinished(() => void execFileSync('umount', [place.local]))
  await using sink = sftpSink({ ...login, path: place.remote })
  const full = { code: 'full', hint: expect.stringContaining('Free some space') }
  await expect(sink.put('object', Buffer.alloc(2 * 1024 * 1024, 7))).rejects.toMatchObject(full)
  const written = pipeline(
    Readable.from([Buffer.alloc(2 * 1024 * 1024, 7)]),
    sink.createWriteStream('object'),
  )
  await expect(written).rejects.toMatchObject(full)
  await sink.put('small', Buffer.alloc(512 * 1024, 7))
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  expect(keys).toEqual(['small'])
})

test('on a slow line an upload that is given up does not end the others', async () => {
  await using line = new SlowLine(1_000_000)
  const place = server.makePlace()
  await using sink = sftpSink({ ...login, port: await line.to(server), path: place.remote })
  await sink.put('first', Buffer.from('bytes'))
  const stop = new AbortController()
  const bytes = Buffer.alloc(3_000_000, 'x')
  const aborted = sink.put('aborted', bytes, { signal: stop.signal })
  const other = sink.put('other', bytes)
  setTimeout(() => stop.abort(new Error('enough')), 500)
  // What it has sent is still in the pipes, and its end waits behind the other one's bytes.
  await expect(aborted).rejects.toThrow('enough')
  await other
  expect((await sink.head('other'))?.sizeBytes).toBe(bytes.length)
  expect(await sink.head('aborted')).toBeUndefined()
})
