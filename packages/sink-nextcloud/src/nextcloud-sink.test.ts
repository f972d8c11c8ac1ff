import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Sink, withTimeout } from '@pipe-backup/sink'
import {
  type NextcloudServer,
  type NextcloudSettings,
  startNextcloud,
  startTamperingProxy,
} from '@pipe-backup-test/services'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { type NextcloudSinkOptions, nextcloudSink } from './nextcloud-sink.ts'

const MIB = 1024 * 1024
const CHUNK = 5 * MIB

let cloud: NextcloudServer
let folder: ReturnType<NextcloudServer['makeFolder']>
beforeAll(async () => {
  cloud = await startNextcloud()
})
afterAll(() => cloud[Symbol.asyncDispose]())
beforeEach(() => {
  cloud.set({})
  cloud.clear()
  folder = cloud.makeFolder()
})

function open(options: Partial<NextcloudSinkOptions> = {}): Sink {
  const { url: server, user, password } = cloud
  const login = { name: 'cloud', server, user, password, path: folder.path }
  const sink = nextcloudSink({ ...login, chunkBytes: CHUNK, settleMs: 10_000, ...options })
  onTestFinished(() => sink[Symbol.asyncDispose]())
  return sink
}

function bytesOf(length: number): Buffer {
  return Buffer.alloc(length, createHash('sha512').update(String(length)).digest())
}

function write(sink: Sink, key: string, bytes: Buffer): Promise<void> {
  const parts = function* () {
    for (let at = 0; at < bytes.length; at += 300_007) yield bytes.subarray(at, at + 300_007)
  }
  return pipeline(Readable.from(parts()), sink.createWriteStream(key))
}

const ways = { put: (sink: Sink, key: string, bytes: Buffer) => sink.put(key, bytes), 'a stream': write }
const versions: Readonly<Record<string, NextcloudSettings>> = {
  'version 2': {},
  'version 1': { noCache: true },
  'version 1 without hashes': { noCache: true, noHash: true },
}

for (const [way, send] of Object.entries(ways)) {
  test.for(Object.entries(versions))(`${way} of many chunks arrives whole, by %s`, async ([, settings]) => {
    cloud.set(settings)
    const sink = open()
    for (const length of [CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 77]) {
      const bytes = bytesOf(length)
      await send(sink, 'packs/large', bytes)
      expect(Buffer.compare(await sink.get('packs/large'), bytes)).toBe(0)
    }
    expect(cloud.uploads()).toEqual([])
    expect(readdirSync(`${folder.local}/packs`)).toEqual(['large'])
  })

  test.for(['^uploads/', '^files/'])(
    `${way}: a MOVE that a proxy gives up and the server goes on with succeeds, below %s`,
    async (path) => {
      const sink = open()
      cloud.set({ faults: [{ method: 'MOVE', path, status: 504, work: 'after', delayMs: 1200 }] })
      const bytes = bytesOf(2 * CHUNK + 5)
      await send(sink, 'packs/large', bytes)
      expect(Buffer.compare(await sink.get('packs/large'), bytes)).toBe(0)
      expect(readdirSync(`${folder.local}/packs`)).toEqual(['large'])
    },
  )

  test.for(['^uploads/', '^files/'])(
    `${way}: a MOVE that was done, and answered with 423, has succeeded, below %s`,
    async (path) => {
      const sink = open()
      cloud.set({ faults: [{ method: 'MOVE', path, status: 423, work: 'before' }] })
      const bytes = bytesOf(2 * CHUNK + 5)
      await send(sink, 'packs/large', bytes)
      expect(Buffer.compare(await sink.get('packs/large'), bytes)).toBe(0)
    },
  )

  test.for([
    [504, 'timeout'],
    [502, 'unreachable'],
    [423, 'throttled'],
    [503, 'throttled'],
  ] as const)(
    `${way}: a MOVE that is answered with %i and never done can be tried again, and shows nothing`,
    async ([status, code]) => {
      const sink = open({ settleMs: 300 })
      cloud.set({ faults: [{ method: 'MOVE', path: '^uploads/', status }] })
      await expect(send(sink, 'large', bytesOf(2 * CHUNK))).rejects.toMatchObject({
        code,
        key: 'large',
        retryable: true,
      })
      expect(await sink.head('large')).toBeUndefined()
      await send(sink, 'large', bytesOf(2 * CHUNK))
      expect((await sink.head('large'))?.sizeBytes).toBe(2 * CHUNK)
    },
  )

  test(`${way} that the quota has no room for is full, and leaves nothing`, async () => {
    const sink = open()
    cloud.set({ quota: 12 * MIB })
    await expect(send(sink, 'large', bytesOf(4 * CHUNK))).rejects.toMatchObject({ code: 'full' })
    expect([readdirSync(folder.local), cloud.uploads()]).toEqual([[], []])
    await send(sink, 'small', bytesOf(1000))
  })

  test(`${way} of what the server stores otherwise is corrupt where the server does not say what it received`, async () => {
    const sink = open()
    cloud.set({ noHash: true, noCache: true, damage: true })
    for (const length of [1000, 2 * CHUNK]) {
      await expect(send(sink, 'object', bytesOf(length))).rejects.toMatchObject({ code: 'corrupt' })
    }
    cloud.set({})
    expect([readdirSync(folder.local), cloud.uploads()]).toEqual([[], []])
  })

  test(`${way} of what was changed on its way is corrupt by the server's own hash`, async () => {
    const proxy = await startTamperingProxy(cloud, 'the first', 'the worst')
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const sink = open({ server: `http://127.0.0.1:${proxy.port}` })
    for (const length of [1000, 2 * CHUNK]) {
      const bytes = bytesOf(length)
      bytes.write('the first', 500)
      cloud.set({ noCache: true })
      await expect(send(sink, 'object', bytes)).rejects.toMatchObject({ code: 'corrupt', key: 'object' })
    }
    expect([readdirSync(folder.local), cloud.uploads()]).toEqual([[], []])
  })

  test(`${way}: an upload that the server has forgotten can be tried again`, async () => {
    const sink = open()
    cloud.set({ faults: [{ method: 'PUT', path: '^uploads/.*/00002', status: 412 }] })
    await expect(send(sink, 'large', bytesOf(3 * CHUNK))).rejects.toMatchObject({ code: 'unreachable' })
    expect(cloud.uploads()).toEqual([])
  })
}

test.for([true, false])(
  'an older object of the same size is not taken for the new one, with ifAbsent %s',
  async (ifAbsent) => {
    const sink = open({ settleMs: 500 })
    await sink.put('object', Buffer.from('older'))
    cloud.set({ faults: [{ method: 'MOVE', path: '^files/', status: 504, times: 2 }] })
    await expect(sink.put('object', Buffer.from('newer'), { ifAbsent })).rejects.toMatchObject({
      code: 'timeout',
    })
    expect(Buffer.from(await sink.get('object')).toString()).toBe('older')
  },
)

test('a chunk is no larger than the server announces', async () => {
  cloud.set({ chunkLimit: CHUNK, bodyLimit: CHUNK })
  const sink = open({ chunkBytes: 4 * CHUNK })
  const bytes = bytesOf(3 * CHUNK)
  await sink.put('large', bytes)
  await write(sink, 'streamed', bytes)
  expect((await sink.head('large'))?.sizeBytes).toBe(3 * CHUNK)
})

test('what is larger than a request may be is too large, with what to do about it', async () => {
  cloud.set({ bodyLimit: MIB })
  const sink = open()
  await expect(sink.put('large', bytesOf(2 * MIB))).rejects.toMatchObject({
    code: 'too-large',
    hint: expect.stringContaining('limit'),
  })
})

test('who waits for a server that is still at work hears of it: withTimeout does not give it up', async () => {
  const sink = open()
  cloud.set({ faults: [{ method: 'MOVE', path: '^uploads/', status: 504, work: 'after', delayMs: 3000 }] })
  await withTimeout(sink, { silentMs: 2500 }).put('large', bytesOf(2 * CHUNK))
  expect((await sink.head('large'))?.sizeBytes).toBe(2 * CHUNK)
})

test('a signal ends the wait for a server that is still at work', async () => {
  const sink = open()
  await sink.put('known', bytesOf(1))
  cloud.set({ faults: [{ method: 'MOVE', path: '^uploads/', status: 504, times: 9 }] })
  const reason = new Error('no longer wanted')
  const giving = new AbortController()
  setTimeout(() => giving.abort(reason), 1500)
  await expect(sink.put('large', bytesOf(2 * CHUNK), { signal: giving.signal })).rejects.toBe(reason)
})

test('a login that is not the id, and an app password, find the files of the user', async () => {
  const sink = open({ user: cloud.login, password: cloud.appPassword })
  await sink.put('packs/one', bytesOf(10))
  expect(readdirSync(`${folder.local}/packs`)).toEqual(['one'])
})

test('a wrong password is one clear line without it, that names the app password', async () => {
  const sink = open({ password: 'hunter2 hunter2' })
  const error = await sink.head('object').catch((failure: unknown) => failure)
  expect(error).toMatchObject({ code: 'unauthorized', hint: expect.stringContaining('app password') })
  expect(JSON.stringify(error) + String(error)).not.toContain('hunter2')
})

test('a server in maintenance can be asked again later', async () => {
  cloud.set({ maintenance: true })
  const sink = open()
  await expect(sink.head('object')).rejects.toMatchObject({ code: 'throttled' })
  cloud.set({})
  expect(await sink.head('object')).toBeUndefined()
})

test('create makes the folder, and those above it', async () => {
  const sink = open({ path: `/${folder.path}/a/b c/`, create: true })
  await sink.put('packs/object', bytesOf(5))
  expect(readdirSync(`${folder.local}/a/b c/packs`)).toEqual(['object'])
})

test('what is deleted goes into the trash, unless configured otherwise; what is temporary never does', async () => {
  const sink = open()
  await sink.put('kept-in-trash', bytesOf(10))
  cloud.set({ faults: [{ method: 'MOVE', path: '^files/', status: 507 }] })
  await expect(sink.put('never', bytesOf(10))).rejects.toMatchObject({ code: 'full' })
  await sink.delete('kept-in-trash')
  const thorough = open({ skipTrash: true })
  await thorough.put('for-good', bytesOf(10))
  await thorough.delete('for-good')
  expect(cloud.trash().map((name) => name.replace(/\.d\d+$/, ''))).toEqual(['kept-in-trash'])
})

test('the checksum of an object is kept beside it, for whoever reads it', async () => {
  const sink = open()
  const bytes = bytesOf(1000)
  await sink.put('object', bytes)
  const { url, user, password } = cloud
  const answer = await fetch(
    `${url}/remote.php/dav/files/${user}/${encodeURIComponent(folder.path)}/object`,
    {
      method: 'PROPFIND',
      headers: { Depth: '0', Authorization: `Basic ${btoa(`${user}:${password}`)}` },
      body: '<propfind xmlns="DAV:"><prop><checksums xmlns="http://owncloud.org/ns"/></prop></propfind>',
    },
  )
  expect(await answer.text()).toContain(`SHA256:${createHash('sha256').update(bytes).digest('hex')}`)
})

test.for([
  [{ chunkBytes: 1000 }, '`chunkBytes`'],
  [{ user: 'a:b' }, '`user`'],
  [{ password: 'a\nb' }, 'line breaks'],
  [{ path: '../other' }, '`path`'],
  [{ server: 'ftp://h' }, '`server`'],
] as const)('%j is refused, and names the option', ([options, named]) => {
  expect(() => open(options)).toThrow(named)
})

test('a password does not go to another machine in the clear, unless configured so', async () => {
  // An address that is not known to be of this machine, and is.
  const server = `http://[::ffff:127.0.0.1]:${cloud.port}`
  const sink = open({ server })
  await expect(sink.head('object')).rejects.toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('plainHttp'),
  })
  const trusting = open({ server, plainHttp: true })
  expect(await trusting.head('object')).toBeUndefined()
})
