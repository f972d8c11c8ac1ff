import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { localSink } from './local-sink.ts'

// FAT says EPERM, file systems of other kinds what they like: none that can be mounted everywhere has no links.
const refusal = vi.hoisted(() => ({ code: 'EPERM' }))
const lies = vi.hoisted(() => ({ links: false, renames: false }))
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => (lies.links ? Promise.resolve() : Promise.reject(Object.assign(new Error('link'), refusal))),
  rename: async (from: string, to: string) => {
    const { rename } = await original<typeof import('node:fs/promises')>()
    if (!lies.renames) await rename(from, to)
  },
}))

const root = mkdtempSync(join(tmpdir(), 'sink-local-'))
afterEach(() => Object.assign(lies, { links: false, renames: false }))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test.for(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])(
  'where there are no hard links (%s), ifAbsent stores what is not there, and replaces nothing',
  async (code) => {
    refusal.code = code
    const sink = localSink({ name: 'disk', path: join(root, code), create: true })
    await sink.put('a/object', Buffer.from('first'), { ifAbsent: true })
    const second = sink.put('a/object', Buffer.from('second'), { ifAbsent: true })
    await expect(second).rejects.toMatchObject({ code: 'exists' })
    expect(Buffer.from(await sink.get('a/object')).toString()).toBe('first')
    expect(readdirSync(join(root, code, '.tmp'))).toEqual([])
  },
)

test('any other refusal to link is reported', async () => {
  refusal.code = 'EROFS'
  const sink = localSink({ name: 'disk', path: join(root, 'other'), create: true })
  const put = sink.put('object', Buffer.from('bytes'), { ifAbsent: true })
  await expect(put).rejects.toMatchObject({ code: 'forbidden' })
})

test('a link that is said to be made, and is not, loses nothing', async () => {
  lies.links = true
  const sink = localSink({ name: 'disk', path: join(root, 'lying'), create: true })
  await sink.put('object', Buffer.from('bytes'), { ifAbsent: true })
  expect(Buffer.from(await sink.get('object')).toString()).toBe('bytes')
})

test('a rename that is said to be done, and is not, is not believed', async () => {
  lies.renames = true
  const sink = localSink({ name: 'disk', path: join(root, 'lost'), create: true })
  await expect(sink.put('object', Buffer.from('bytes'))).rejects.toMatchObject({ code: 'protocol' })
})
