import { createCipheriv, createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Mounted } from './mounted.ts'
import { Sandbox } from './sandbox.ts'

const SIZE = 300_000_000
const sandbox = new Sandbox()
const path = `latest/data${sandbox.path('data')}/large`
/** No two of its chunks are the same, and none gets smaller. */
const large = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(SIZE))

beforeAll(async () => {
  mkdirSync(sandbox.path('data'))
  writeFileSync(sandbox.path('data', 'large'), large)
  const sources = [{ type: 'files', name: 'data', paths: [sandbox.path('data')] }]
  sandbox.configure({ sources, sinks: sandbox.sinks('first', 'second') })
  await sandbox.ok(['init', '--phrase-out', sandbox.path('phrase')])
  await sandbox.ok(['run'])
})
afterAll(() => sandbox[Symbol.dispose]())

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('of a large file a range reads its chunks alone, and several readers at once get what is there', async () => {
  await using mounted = await Mounted.start(sandbox)
  await mounted.curl('latest/', '-X', 'PROPFIND', '-H', 'Depth: 1')
  const before = mounted.bytesRead
  const { body } = await mounted.curl(path, '-r', '-1024')
  expect(hashOf(body)).toBe(hashOf(large.subarray(-1024)))
  expect(mounted.bytesRead - before).toBeLessThan(20_000_000)
  const ranges = [
    [0, SIZE],
    [100_000_000, 290_000_000],
    [299_000_000, SIZE],
  ] as const
  const read = ranges.map(async ([from, to]) =>
    hashOf((await mounted.curl(path, '-r', `${from}-${to - 1}`)).body),
  )
  expect(await Promise.all(read)).toEqual(ranges.map(([from, to]) => hashOf(large.subarray(from, to))))
  // What a whole reading takes, the count has seen.
  expect(mounted.bytesRead - before).toBeGreaterThan(SIZE)
})

test('a client that goes away ends the reading', async () => {
  await using mounted = await Mounted.start(sandbox)
  const before = mounted.bytesRead
  const { exitCode } = await mounted.curl(path, '--limit-rate', '1M', '--max-time', '1')
  expect(exitCode).toBe(28)
  let last = 0
  const isQuiet = () => {
    const was = last
    last = mounted.bytesRead
    return last - was < 100_000
  }
  await expect.poll(isQuiet, { interval: 300 }).toBe(true)
  expect(last - before).toBeLessThan(150_000_000)
})

/** Changes a byte in the middle of the last packs of data that a sink got: the beginning of the file is in the first. */
function damage(sink: string): void {
  const packs = sandbox.path('sinks', sink, 'packs')
  const files = readdirSync(packs, { recursive: true, encoding: 'utf8' }).map((name) => {
    const file = join(packs, name)
    const { size, mtimeMs } = statSync(file)
    return { file, size, mtimeMs }
  })
  const data = files.filter(({ size }) => size > 1_000_000).sort((a, b) => a.mtimeMs - b.mtimeMs)
  expect(data.length).toBeGreaterThan(8)
  for (const { file } of data.slice(-4)) {
    const bytes = readFileSync(file)
    const middle = Math.floor(bytes.length / 2)
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    rmSync(file)
    writeFileSync(file, bytes)
  }
}

test('what is damaged comes from another sink; where none has it the answer is cut, never wrong, and a line says so', async () => {
  damage('first')
  const mounted = await Mounted.start(sandbox)
  expect(hashOf((await mounted.curl(path)).body)).toBe(hashOf(large))
  const good = await mounted.stop()
  expect(good.stderr).toMatch(/sink "first": packs\/\S+ is damaged/)
  expect(good.stderr).not.toContain('could not be read')

  damage('second')
  const hopeless = await Mounted.start(sandbox)
  const cut = await hopeless.curl(path)
  // 18: curl got less than it was promised.
  expect([cut.status, cut.exitCode]).toEqual([200, 18])
  expect(cut.body.length).toBeLessThan(SIZE)
  expect(hashOf(cut.body)).toBe(hashOf(large.subarray(0, cut.body.length)))
  const where = await hopeless.curl(path, '-r', `${cut.body.length}-`)
  expect(where.status).toBe(500)
  const { stderr } = await hopeless.stop()
  expect(stderr).toMatch(/\/large could not be read: .* is intact on no sink/)
})
