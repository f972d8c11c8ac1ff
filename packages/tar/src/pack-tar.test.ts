import { execFileSync } from 'node:child_process'
import {
  createWriteStream,
  lstatSync,
  mkdirSync,
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
import {
  type Entry,
  type EntryReader,
  type FileEntry,
  SourceError,
  type SourceProblem,
} from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type PackTarOptions, packTar } from './pack-tar.ts'

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

async function unpacked(entries: Entry[], options: PackTarOptions = {}): Promise<void> {
  await pipeline(packTar(entries, options), createWriteStream(join(directory, 'a.tar')))
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

test('an entry of unknown length is one file, or parts that make it', async () => {
  const bytes = Buffer.from(Array.from({ length: 250_000 }, (_, i) => i % 253))
  for (const size of [0, 1, 99_999, 100_000, 100_001, 200_000, 250_000]) {
    const dump = bytes.subarray(0, size)
    rmSync(directory, { recursive: true })
    mkdirSync(directory)
    await unpacked([{ ...file('db/dump.sql', dump), size: undefined }, file('last', Buffer.from('x'))], {
      partBytes: 100_000,
    })
    const names = readdirSync(join(directory, 'db'))
    const parts = Math.ceil(size / 100_000)
    expect(names).toEqual(
      parts <= 1 ? ['dump.sql'] : Array.from({ length: parts }, (_, i) => `dump.sql.part-00000${i + 1}`),
    )
    const joined = Buffer.concat(names.map((name) => readFileSync(join(directory, 'db', name))))
    expect(joined.equals(dump)).toBe(true)
    expect(readFileSync(join(directory, 'last'), 'utf8')).toBe('x')
  }
})

test('a program that fails in a later part fails the archive', async () => {
  let read = 0
  const output = (maxBytes: number): FileEntry => ({
    ...file('dump', Buffer.alloc(0)),
    size: undefined,
    open: () => ({
      read(into) {
        if (read >= maxBytes) throw new SourceError('command-failed', 'mysqldump exited with 2')
        read += into.length
        return into.length
      },
      finish: () => ({ steady: true, mtimeNs: 0n }),
      close: () => undefined,
    }),
  })
  await expect(buffer(packTar([output(3_000_000)], { partBytes: 1_000_000 }))).rejects.toMatchObject({
    code: 'command-failed',
  })
})

test("a program's output is read on in pieces while nobody takes the archive, and no further than one part", async () => {
  let read = 0
  const entry: FileEntry = {
    ...file('dump', Buffer.alloc(0)),
    size: undefined,
    open: () => ({
      read(into) {
        read += into.length
        return into.length
      },
      finish: () => ({ steady: true, mtimeNs: 0n }),
      close: () => undefined,
    }),
  }
  const tar = packTar([entry], { partBytes: 4_000_000, pieceEveryMs: 1 })
  tar.read(0)
  await expect.poll(() => read).toBe(8_000_000)
  tar.destroy()
})

test.for([
  ['shrank', 9],
  ['grew', 11],
])('a file that %s is read again, then reported, or an error', async ([, size]) => {
  const entry = file('f', Buffer.alloc(Number(size), 'z'), 10)
  await expect(buffer(packTar([entry]))).rejects.toMatchObject({ code: 'changed', path: 'f' })
  const problems: SourceProblem[] = []
  await unpacked([entry], { onProblem: (problem) => problems.push(problem) })
  expect(problems).toMatchObject([{ code: 'changed', path: 'f' }])
  expect(readFileSync(join(directory, 'f')).length).toBe(Math.min(Number(size), 10))
})

test('a file that changes is read until it holds still', async () => {
  let readings = 0
  const problems: SourceProblem[] = []
  const entry: FileEntry = {
    ...file('f', Buffer.alloc(0), 3),
    open: () => {
      const content = Buffer.from(`0${++readings}!`)
      let at = 0
      return {
        read: (into) => {
          const got = content.copy(into, 0, at)
          at += got
          return got
        },
        finish: () => ({ steady: readings === 3, mtimeNs: 0n }),
        close: () => undefined,
      }
    },
  }
  await unpacked([entry], { onProblem: (problem) => problems.push(problem) })
  expect(readFileSync(join(directory, 'f'), 'utf8')).toBe('03!')
  expect(problems).toEqual([])
})

test('a file that can not be read is reported and left out; without `onProblem` it is an error', async () => {
  const gone: FileEntry = {
    ...file('gone', Buffer.alloc(0), 5),
    open: () => {
      throw new SourceError('vanished', 'gone: is not there any more', { path: 'gone' })
    },
  }
  await expect(buffer(packTar([gone]))).rejects.toMatchObject({ code: 'vanished' })
  const problems: SourceProblem[] = []
  await unpacked([gone, file('here', Buffer.from('x'))], { onProblem: (problem) => problems.push(problem) })
  expect(problems).toEqual([{ code: 'vanished', path: 'gone', message: 'is not there any more' }])
  expect(readdirSync(directory)).toEqual(['a.tar', 'here'])
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
