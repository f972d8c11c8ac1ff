import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { localSink } from './local-sink.ts'

// FAT says EPERM, file systems of other kinds what they like: none that can be mounted everywhere has no links.
const refusal = vi.hoisted(() => ({ code: 'EPERM' }))
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('link'), refusal)),
}))

const root = mkdtempSync(join(tmpdir(), 'sink-local-'))
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

test('any other refusal to link is told', async () => {
  refusal.code = 'EROFS'
  const sink = localSink({ name: 'disk', path: join(root, 'other'), create: true })
  const put = sink.put('object', Buffer.from('bytes'), { ifAbsent: true })
  await expect(put).rejects.toMatchObject({ code: 'forbidden' })
})
