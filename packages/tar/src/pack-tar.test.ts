import { execFileSync } from 'node:child_process'
import {
  createWriteStream,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Entry, EntryReader, FileEntry } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { packTar } from './pack-tar.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pack-tar-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const metadata = (path: string | Buffer, mode = 0o644) => ({
  path: Buffer.from(path),
  mode,
  uid: 1000,
  gid: 1000,
  user: 'someone',
  group: 'somegroup',
  mtimeNs: 1_700_000_000_123_456_789n,
})

const reader = (bytes: Buffer): EntryReader => {
  let at = 0
  return {
    read(into) {
      const got = bytes.copy(into, 0, at)
      at += got
      return got
    },
    finish: () => ({ steady: true, mtimeNs: 0n }),
    close: () => undefined,
  }
}

const file = (path: string | Buffer, bytes: Buffer, size: number | undefined = bytes.length): FileEntry => ({
  type: 'file',
  ...metadata(path),
  size,
  open: () => reader(bytes),
})

async function unpacked(entries: Entry[]): Promise<void> {
  await pipeline(packTar(entries), createWriteStream(join(directory, 'a.tar')))
  execFileSync('tar', ['-xpf', 'a.tar', '--numeric-owner'], { cwd: directory })
}

test('GNU tar restores files of all sizes, with times to the nanosecond', async () => {
  const sizes = [0, 1, 511, 512, 513, 524_288, 524_289, 3_000_000]
  await unpacked(sizes.map((size) => file(`f${size}`, Buffer.alloc(size, 'ab'))))
  for (const size of sizes) {
    expect(readFileSync(join(directory, `f${size}`)).equals(Buffer.alloc(size, 'ab'))).toBe(true)
    expect(lstatSync(join(directory, `f${size}`), { bigint: true }).mtimeNs).toBe(1_700_000_000_123_456_789n)
  }
})

test('GNU tar restores names that are no UTF-8, long, or odd', async () => {
  const names = [
    Buffer.from([0x66, 0xff, 0xfe]),
    Buffer.from('né'),
    Buffer.from('new\nline'),
    Buffer.from('x'.repeat(200)),
    Buffer.from(' '),
  ]
  await unpacked(names.map((name) => file(name, Buffer.from('x'))))
  const found = readdirSync(Buffer.from(directory), { encoding: 'buffer' }).map((name) =>
    name.toString('hex'),
  )
  for (const name of names) expect(found).toContain(name.toString('hex'))
})

test('GNU tar restores directories, links of both kinds, and FIFOs', async () => {
  const target = Buffer.concat([Buffer.from('t'.repeat(300)), Buffer.from([0xff])])
  await unpacked([
    { type: 'directory', ...metadata('d', 0o750) },
    file('d/f', Buffer.from('hello')),
    { type: 'symlink', ...metadata('d/s'), target },
    { type: 'hardlink', ...metadata('h'), linkTo: Buffer.from('d/f') },
    { type: 'fifo', ...metadata('p') },
  ])
  expect(lstatSync(join(directory, 'd')).mode & 0o7777).toBe(0o750)
  expect(readlinkSync(join(directory, 'd/s'), { encoding: 'buffer' }).equals(target)).toBe(true)
  expect(lstatSync(join(directory, 'h')).ino).toBe(lstatSync(join(directory, 'd/f')).ino)
  expect(lstatSync(join(directory, 'p')).isFIFO()).toBe(true)
})

test.for([
  ['small', 5, 0x3_ffff],
  ['larger than a header holds', 4095, 0xf_ffff],
])('bsdtar reads the numbers of a device that are %s', async ([, major, minor]) => {
  const device = {
    type: 'block-device',
    ...metadata('b', 0),
    major: Number(major),
    minor: Number(minor),
  } as const
  await pipeline(packTar([device]), createWriteStream(join(directory, 'a.tar')))
  const listed = execFileSync('bsdtar', ['-tvf', join(directory, 'a.tar')], { encoding: 'utf8' })
  expect(listed).toContain(` ${major},${minor} `)
  expect(listed).toMatch(/^b---------/)
})

test('an archive of nothing is one, and its headers are written no faster than they are read', async () => {
  expect(await buffer(packTar([]))).toEqual(Buffer.alloc(1024))
  let taken = 0
  const endless = function* (): Generator<Entry> {
    for (;;) yield { type: 'fifo', ...metadata(`p${taken++}`) }
  }
  for await (const _ of packTar(endless())) break
  expect(taken).toBeLessThan(10_000)
})

test('an entry of unknown length is measured in memory, up to a bound', async () => {
  await unpacked([{ ...file('dump', Buffer.alloc(200_000, 'q')), size: undefined }])
  expect(readFileSync(join(directory, 'dump')).length).toBe(200_000)
  await expect(
    buffer(packTar([{ ...file('dump', Buffer.alloc(200_000)), size: undefined }], { bufferBytes: 100_000 })),
  ).rejects.toMatchObject({ code: 'unreadable' })
})

test.for([
  ['shrank', 9],
  ['grew', 11],
])('a file that %s is an error, never padded', async ([, size]) => {
  await expect(buffer(packTar([file('f', Buffer.alloc(Number(size)), 10)]))).rejects.toMatchObject({
    code: 'changed',
    path: 'f',
  })
})

test('a large file that shrank is an error', async () => {
  await expect(buffer(packTar([file('f', Buffer.alloc(1_000_000), 2_000_000)]))).rejects.toMatchObject({
    code: 'changed',
  })
})

test('a consumer that goes away closes the open reader', async () => {
  let closed = false
  const endless: FileEntry = {
    ...file('f', Buffer.alloc(0), 10_000_000),
    open: () => ({
      ...reader(Buffer.alloc(10_000_000)),
      close: () => {
        closed = true
      },
    }),
  }
  const tar = packTar([endless])
  for await (const _ of tar) break
  expect(tar.destroyed).toBe(true)
  await expect.poll(() => closed).toBe(true)
})
