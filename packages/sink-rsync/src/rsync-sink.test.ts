import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Sink, withLimit, withTimeout } from '@pipe-backup/sink'
import { type RsyncDaemon, type SshServer, startRsyncd, startSshd } from '@pipe-backup-test/services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rsyncSink } from './rsync-sink.ts'
import type { RsyncSinkOptions } from './rsync-sink-options.ts'

const TEST_MS = 240_000
const MIB = 1024 * 1024

let server: SshServer
let daemon: RsyncDaemon
beforeAll(async () => {
  server = await startSshd()
  daemon = await startRsyncd()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await daemon[Symbol.asyncDispose]()
})

function overSsh(more: Partial<RsyncSinkOptions> = {}, path: string = server.makePlace().remote): Sink {
  const { host, port, user, identity, hostKey } = server
  const pinned = 'knownHosts' in more ? {} : { hostKey }
  return rsyncSink({ name: 'rs', target: `${user}@${host}:${path}`, port, identity, ...pinned, ...more })
}

function byDaemon(
  more: Partial<RsyncSinkOptions> = {},
  port: number = daemon.port,
  { name }: { readonly name: string } = daemon.makeModule(),
): Sink {
  const { host, user, password } = daemon
  return rsyncSink({ name: 'rs', target: `rsync://${user}@${host}:${port}/${name}`, password, ...more })
}

async function keysOf(sink: Sink): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  return keys.sort()
}

/** A TCP proxy that counts, and passes no more than so many bytes a second towards the server. */
class Link implements AsyncDisposable {
  connections = 0
  /** Bytes towards the server, in each tenth of a second. */
  readonly tenths: number[] = [0]
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer()
  readonly #counting = setInterval(() => this.tenths.push(0), 100)

  static async open(
    target: { readonly host: string; readonly port: number },
    bytesPerSecond = Infinity,
  ): Promise<Link> {
    const link = new Link()
    link.#server.on('connection', (near) =>
      link.#join(near, connect(target.port, target.host), bytesPerSecond),
    )
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve))
    return link
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#counting)
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(near: Socket, far: Socket, bytesPerSecond: number): void {
    this.connections++
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined).setNoDelay(true)
    }
    const slowly = async function* (this: Link, pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        this.tenths.push((this.tenths.pop() ?? 0) + piece.length)
        yield piece
        if (bytesPerSecond !== Infinity) await sleep((piece.length / bytesPerSecond) * 1000)
      }
    }
    // A connection that is cut is what some tests are about.
    pipeline(near, (pieces) => slowly.call(this, pieces as AsyncIterable<Buffer>), far).catch(() => undefined)
    pipeline(far, near).catch(() => undefined)
  }
}

describe("the server's key", { timeout: TEST_MS }, () => {
  const tryPut = async (more: Partial<RsyncSinkOptions>): Promise<void> => {
    await using sink = overSsh(more)
    await sink.put('object', Buffer.from('bytes'))
  }
  const knownHosts = (text: string): readonly string[] => {
    const path = join(server.makePlace().local, 'known hosts')
    writeFileSync(path, text)
    return [path]
  }

  test('is trusted when a known_hosts file has it', async () => {
    await expect(tryPut({ knownHosts: knownHosts(server.knownHostsLine) })).resolves.toBeUndefined()
  })

  test('is refused when none has it, and when it is another one', async () => {
    await expect(tryPut({ knownHosts: [] })).rejects.toMatchObject({
      code: 'unauthorized',
      hint: expect.stringContaining('ssh-keyscan'),
    })
    const other = readFileSync(`${server.strangeIdentity}.pub`, 'utf8')
    const [names] = server.knownHostsLine.split(' ')
    await expect(tryPut({ knownHosts: knownHosts(`${names} ${other}`) })).rejects.toThrow(
      /^sink "rs": the server's key is/,
    )
    const revoked = knownHosts(`@revoked ${server.knownHostsLine}`)
    await expect(tryPut({ knownHosts: revoked })).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('is shown when it is not the pinned one', async () => {
    await expect(tryPut({ hostKey: `SHA256:${'A'.repeat(43)}` })).rejects.toThrow(server.hostKey)
  })
})

test('a private key that is not there, and one under a passphrase, are one clear line', {
  timeout: TEST_MS,
}, async () => {
  await using absent = overSsh({ identity: '/no/such/key' })
  await expect(absent.put('object', Buffer.from('x'))).rejects.toThrow(
    "the private key /no/such/key can't be read (ENOENT)",
  )
  await using locked = overSsh({ identity: server.encryptedIdentity })
  await expect(locked.put('object', Buffer.from('x'))).rejects.toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('agent'),
  })
})

describe('connections', { timeout: TEST_MS }, () => {
  test('many objects go through one connection, and one that is idle goes on', async () => {
    await using link = await Link.open(server)
    await using sink = overSsh({ port: link.port })
    await sink.put('first', Buffer.from('first'))
    const before = link.connections
    await Promise.all(Array.from({ length: 40 }, (_, i) => sink.put(`packs/${i}`, Buffer.from(`${i}`))))
    await Promise.all(Array.from({ length: 6 }, (_, i) => sink.get(`packs/${i}`)))
    expect(await keysOf(sink)).toHaveLength(41)
    expect(link.connections).toBe(before)
  })

  test('a server that allows one session for each connection is asked by several', async () => {
    await using modest = await startSshd({ settings: ['MaxSessions 1'] })
    const { host, port, user, identity, hostKey } = modest
    const target = `${user}@${host}:${modest.makePlace().remote}`
    await using sink = rsyncSink({ name: 'rs', target, port, identity, hostKey })
    await sink.put('a', Buffer.from('bytes'))
    const gets = await Promise.all([1, 2, 3].map(() => sink.get('a')))
    expect(gets.map(({ length }) => length)).toEqual([5, 5, 5])
  })

  test('a slow link is not silence: what still moves is not given up', async () => {
    await using link = await Link.open(daemon, 3 * MIB)
    await using sink = byDaemon({}, link.port)
    const patient = withTimeout(sink, { silentMs: 2500 })
    const bytes = Buffer.alloc(24 * MIB, 'x')
    const from = performance.now()
    await Promise.all([
      patient.put('a', bytes),
      patient.put('b', Buffer.from('b')),
      patient.put('c', bytes.subarray(MIB)),
    ])
    expect(performance.now() - from).toBeGreaterThan(5000)
    expect(await keysOf(sink)).toEqual(['a', 'b', 'c'])
  })

  test('a bandwidth limit is kept from second to second, not only in the mean', async () => {
    await using link = await Link.open(daemon)
    await using sink = withLimit(byDaemon({}, link.port), { uploadBytesPerSecond: MIB })
    for (const key of ['a', 'b', 'c']) await sink.put(key, Buffer.alloc(2 * MIB, key))
    const seconds = link.tenths.map((_, i) => link.tenths.slice(i, i + 10).reduce((sum, one) => sum + one, 0))
    expect(Math.max(...seconds)).toBeLessThan(2 * MIB)
  })

  test('one that is aborted in the middle is not there, and those beside it are', async () => {
    await using link = await Link.open(daemon, 4 * MIB)
    await using sink = byDaemon({}, link.port)
    const aborting = new AbortController()
    const connected = async (connections: number) => {
      while (link.connections < connections) await sleep(10)
    }
    const first = sink.put('first', Buffer.alloc(4 * MIB, 'x'))
    await connected(1)
    const gone = sink.put('gone', Buffer.alloc(16 * MIB, 'x'), { signal: aborting.signal })
    const beside = sink.put('beside', Buffer.alloc(MIB, 'x'))
    await connected(2)
    await sleep(500)
    aborting.abort(new Error('no longer wanted'))
    await expect(gone).rejects.toThrow('no longer wanted')
    await Promise.all([first, beside])
    expect(await keysOf(sink)).toEqual(['beside', 'first'])
  })
})

describe('the spool', { timeout: TEST_MS }, () => {
  const own = () => readdirSync('/dev/shm').filter((name) => name.includes(`-${process.pid}-`))

  test('is in memory, for this user alone, and gone when the sink is closed', async () => {
    const sink = byDaemon()
    await sink.put('object', Buffer.from('bytes'))
    await sink.get('object', { offset: 1, length: 2 })
    expect(own()).toHaveLength(1)
    expect(
      spawnSync('stat', ['-c', '%a', join('/dev/shm', own()[0] ?? '')], { encoding: 'utf8' }).stdout.trim(),
    ).toBe('700')
    await sink[Symbol.asyncDispose]()
    expect(own()).toEqual([])
  })

  test('is refused on a disk', async () => {
    await using sink = byDaemon({ spool: import.meta.dirname })
    await expect(sink.put('object', Buffer.from('bytes'))).rejects.toThrow(
      'is not a file system in memory (tmpfs)',
    )
  })

  test('of a process that was killed, with all that should have tidied up after it, is removed by the next', async () => {
    await using first = byDaemon()
    await first.put('object', Buffer.from('bytes'))
    const ended = spawnSync('true').pid
    const left = join('/dev/shm', own()[0]?.replace(`-${process.pid}-`, `-${ended}-`) ?? '')
    mkdirSync(left)
    writeFileSync(join(left, 'object'), 'bytes')
    await using second = byDaemon()
    await second.put('object', Buffer.from('bytes'))
    expect(existsSync(left)).toBe(false)
  })

  test('takes no more than it may: larger objects are refused, smaller ones wait for each other', async () => {
    const module = daemon.makeModule()
    await using sink = byDaemon({ spoolBytes: 2 * MIB }, daemon.port, module)
    const bytes = Buffer.alloc(1.5 * MIB, 'x')
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => sink.put(key, bytes)))
    await expect(sink.put('large', Buffer.alloc(2 * MIB + 1))).rejects.toMatchObject({ code: 'too-large' })
    const endless = Readable.from(
      (function* () {
        for (;;) yield bytes
      })(),
    )
    await expect(pipeline(endless, sink.createWriteStream('endless'))).rejects.toMatchObject({
      code: 'too-large',
    })
    await using roomy = byDaemon({}, daemon.port, module)
    await roomy.put('large', Buffer.alloc(3 * MIB))
    await expect(sink.get('large')).rejects.toMatchObject({ code: 'too-large' })
    expect(await keysOf(sink)).toEqual(['a', 'b', 'c', 'd', 'large'])
  })
})

test('ranges of one object are one download, until it changes', { timeout: TEST_MS }, async () => {
  await using link = await Link.open(daemon)
  await using sink = byDaemon({}, link.port)
  await sink.put('object', Buffer.from('0123456789'))
  const before = link.connections
  expect(Buffer.from(await sink.get('object', { offset: 2, length: 3 })).toString()).toBe('234')
  expect(Buffer.from(await sink.get('object', { offset: 5 })).toString()).toBe('56789')
  await expect(sink.get('object', { offset: 5, length: 6 })).rejects.toMatchObject({ code: 'range' })
  expect(link.connections).toBe(before + 1)
  await sink.put('object', Buffer.from('abcdefghij'))
  expect(Buffer.from(await sink.get('object', { offset: 2, length: 3 })).toString()).toBe('cde')
  await sink.delete('object')
  await expect(sink.get('object', { offset: 2, length: 3 })).rejects.toMatchObject({ code: 'not-found' })
})

describe('a password', { timeout: TEST_MS }, () => {
  const read = (pid: string, name: string) => {
    try {
      return readFileSync(join('/proc', pid, name), 'utf8')
    } catch {
      // It has ended in this moment.
      return ''
    }
  }
  /** Which programs have it while an object is sent, in their arguments and in their environment. */
  const seen = async (sink: Sink): Promise<{ args: string[]; env: string[] }> => {
    await sink.put('first', Buffer.from('first'))
    const putting = sink.put('object', Buffer.alloc(6 * MIB))
    await sleep(2000)
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    const names = (file: string) => [
      ...new Set(
        pids
          .filter((pid) => read(pid, file).includes(daemon.password))
          .map((pid) => read(pid, 'comm').trim()),
      ),
    ]
    const found = { args: names('cmdline'), env: names('environ') }
    await putting
    return found
  }

  test('is in no argument, and in the environment of rsync alone', async () => {
    await using link = await Link.open(daemon, MIB)
    await using sink = byDaemon({}, link.port)
    expect(await seen(sink)).toEqual({ args: [], env: ['rsync'] })
  })

  test('of a daemon behind ssh is not in the environment of ssh', async () => {
    await using gate = await startSshd({
      forcedCommand: () => `rsync --server --daemon --config=${daemon.config} .`,
    })
    await using link = await Link.open(gate, MIB)
    const { name } = daemon.makeModule('auth users =')
    const { host, user, identity, hostKey } = gate
    const { password } = daemon
    const target = `${user}@${host}::${name}`
    await using sink = rsyncSink({ name: 'rs', target, port: link.port, identity, hostKey, password })
    expect(await seen(sink)).toEqual({ args: [], env: ['rsync'] })
  })
})

test('an ssh target with a password, and a target that is none, are refused at once', () => {
  expect(() => rsyncSink({ name: 'rs', target: 'u@h:path', password: 'x' })).toThrow(/it takes a key/)
  expect(() => rsyncSink({ name: 'rs', target: '/srv/backups' })).toThrow(/is not user@host:path/)
})

test('without an rsync on this machine the error says so', { timeout: TEST_MS }, () => {
  const empty = mkdtempSync(join(tmpdir(), 'no-rsync-'))
  const script = `import { rsyncSink } from ${JSON.stringify(join(import.meta.dirname, 'rsync-sink.ts'))}
    const sink = rsyncSink({ name: 'rs', target: 'rsync://127.0.0.1:1/m' })
    await sink.put('object', Buffer.from('x')).catch(({ code, message }) => console.log(code, message))
    await sink[Symbol.asyncDispose]()`
  const ran = spawnSync(
    process.execPath,
    ['--conditions=pipe-backup-src', '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
      env: { PATH: empty },
    },
  )
  rmSync(empty, { recursive: true })
  expect(ran.stdout).toMatch(/^protocol sink "rs": object: a program is missing on this machine/)
})

test('a sink that is closed while an ssh server says nothing does not wait for it', {
  timeout: TEST_MS,
}, async () => {
  const connected = Promise.withResolvers<void>()
  const mute = createServer((socket) => {
    socket.on('error', () => undefined).resume()
    connected.resolve()
  })
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  const { port } = mute.address() as AddressInfo
  const sink = overSsh({ port, knownHosts: [] })
  const putting = expect(sink.put('object', Buffer.from('bytes'))).rejects.toThrow('was closed')
  await connected.promise
  const before = performance.now()
  await sink[Symbol.asyncDispose]()
  expect(performance.now() - before).toBeLessThan(5000)
  await putting
  mute.close()
})
