import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { localSink } from './local-sink.ts'

const root = mkdtempSync(join(tmpdir(), 'sink-local-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const sink = localSink({ name: 'disk', path: root })

const MIB = 1024 * 1024

function openFiles(): number {
  const files = readdirSync('/proc/self/fd').map((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`)
    } catch {
      return ''
    }
  })
  return files.filter((file) => file.startsWith(root)).length
}

test('an object that becomes shorter while it is read is an error, and no short success', async () => {
  await sink.put('object', Buffer.alloc(4 * MIB))
  const stream = await sink.createReadStream('object')
  truncateSync(join(root, 'object'), MIB)
  await expect(stream.toArray()).rejects.toMatchObject({ name: 'SinkError', code: 'corrupt' })
})

test('a stream that is destroyed, read or not, closes its file', async () => {
  await sink.put('object', Buffer.alloc(4 * MIB))
  const unread = await sink.createReadStream('object')
  const begun = await sink.createReadStream('object')
  begun.read(1)
  expect(openFiles()).toBe(2)
  unread.destroy()
  begun.destroy()
  await expect.poll(() => openFiles()).toBe(0)
})

test('what is read is reported in small pieces, so that a slow disk is not taken for a silent one', async () => {
  await sink.put('object', Buffer.alloc(4 * MIB))
  for (const read of [
    (onBytes: (size: number) => undefined) => sink.get('object', { onBytes }),
    async (onBytes: (size: number) => undefined) =>
      await (await sink.createReadStream('object', { onBytes })).toArray(),
  ]) {
    const sizes: number[] = []
    await read((size) => void sizes.push(size))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(4 * MIB)
  }
})

test('a disk that is unmounted in the middle is unreachable: nothing goes to the disk below it', async () => {
  // Another file system than the temporary directory's.
  const below = mkdtempSync('/dev/shm/sink-local-')
  onTestFinished(() => rmSync(below, { recursive: true }))
  const disk = join(root, 'disk')
  const mounted = join(root, 'mounted')
  mkdirSync(disk)
  symlinkSync(disk, mounted)
  const sink = localSink({ name: 'disk', path: mounted })
  await sink.put('before', Buffer.from('bytes'))
  rmSync(mounted)
  symlinkSync(below, mounted)
  const put = sink.put('after', Buffer.from('bytes'))
  await expect(put).rejects.toMatchObject({ name: 'SinkError', code: 'unreachable' })
  expect(readdirSync(below)).toEqual([])
  await expect(sink.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'unreachable' })
  rmSync(mounted)
  await expect(sink.put('after', Buffer.from('bytes'))).rejects.toMatchObject({ code: 'unreachable' })
  // A run from before the disk was mounted, once, has left this.
  mkdirSync(join(below, '.tmp'))
  for (const directory of ['packs/aa', 'packs/bb']) {
    symlinkSync(disk, mounted)
    await sink.put('again', Buffer.from('bytes'))
    rmSync(mounted)
    symlinkSync(below, mounted)
    await expect(sink.put(`${directory}/after`, Buffer.from('bytes'))).rejects.toMatchObject({
      code: 'unreachable',
    })
    rmSync(mounted)
  }
  expect(readdirSync(below, { recursive: true })).toEqual(['.tmp'])
  symlinkSync(disk, mounted)
  await sink.put('again', Buffer.from('bytes'))
})

test('a place in a directory that takes none is refused: Node would try for ever', async () => {
  const nothing = localSink({ name: 'disk', path: '/proc/no/such', create: true })
  await expect(nothing.put('object', Buffer.from('bytes'))).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining("/proc/no/such can't be made"),
  })
  const deep = localSink({ name: 'disk', path: join(root, 'a/b/c'), create: true })
  await deep.put('x/y/object', Buffer.from('bytes'))
  expect(readdirSync(join(root, 'a/b/c'))).toContain('x')
})

test('what another user has made and this one may not read is named, with its owner', async () => {
  const own = localSink({ name: 'disk', path: join(root, 'owned'), create: true })
  await own.put('packs/object', Buffer.from('bytes'), {})
  await own.put('object', Buffer.from('bytes'), {})
  chownSync(root, 65_534, 65_534)
  chmodSync(join(root, 'owned'), 0o755)
  chmodSync(join(root, 'owned/object'), 0o600)
  chmodSync(join(root, 'owned/packs'), 0o700)
  process.seteuid?.(65_534)
  try {
    for (const [key, path] of [
      ['object', 'owned/object'],
      ['packs/object', 'owned/packs'],
    ] as const)
      await expect(own.get(key)).rejects.toMatchObject({
        code: 'forbidden',
        key,
        message: expect.stringContaining(`permission denied: ${join(root, path)} belongs to root`),
      })
  } finally {
    process.seteuid?.(0)
  }
})

test('a disk with room, and no inode left for another file, is said to be that', async ({
  onTestFinished,
}) => {
  const path = mkdtempSync(join(tmpdir(), 'sink-inodes-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=6', 'tmpfs', path])
  onTestFinished(() => void execFileSync('umount', [path]))
  await using small = localSink({ name: 'small', path })
  const putAll = async () => {
    for (let i = 0; i < 8; i++) await small.put(`object-${i}`, Buffer.of(i))
  }
  await expect(putAll()).rejects.toMatchObject({
    code: 'full',
    message: expect.stringContaining('no inodes left'),
  })
})

test('a part of the sink that is a link to another file system, or to itself, is named', async ({
  onTestFinished,
}) => {
  const path = mkdtempSync(join(tmpdir(), 'sink-links-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  symlinkSync('loop', join(path, 'loop'))
  await using linked = localSink({ name: 'linked', path })
  await expect(linked.put('loop/object', Buffer.of(1))).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('symbolic links lead in a circle'),
  })
})
