import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { extract } from './test-support/either-way.ts'

let base: string
let target: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'extract-'))
  target = join(base, 'target')
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const metadata = (path: string | Buffer, mode = 0o640) => ({
  path: Buffer.from(path),
  mode,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  user: '',
  group: '',
  mtimeNs: 1_600_000_000_250_000_000n,
})
const file = (
  path: string | Buffer,
  text: string | Buffer = 'content',
  more: { sparse?: boolean } = {},
): Entry => {
  const bytes = Buffer.from(text)
  return {
    type: 'file',
    ...metadata(path),
    size: bytes.length,
    ...more,
    open: () => {
      let at = 0
      return {
        read: (into) => {
          const got = bytes.copy(into, 0, at)
          at += got
          return got
        },
        finish: () => ({ steady: true, mtimeNs: 0n }),
        close: () => undefined,
      }
    },
  }
}
const directory = (path: string, mode = 0o750): Entry => ({ type: 'directory', ...metadata(path, mode) })
const symlink = (path: string, to: string): Entry => ({
  type: 'symlink',
  ...metadata(path),
  target: Buffer.from(to),
})

async function problemsOf(entries: Entry[]): Promise<SourceProblem[]> {
  const problems: SourceProblem[] = []
  await extract(entries, target, { onProblem: (problem) => problems.push(problem) })
  return problems
}

test('files, directories, links and FIFOs come back with mode and time', async () => {
  expect(
    await problemsOf([
      directory('s/d', 0o500),
      file('s/d/f'),
      symlink('s/d/l', 'f'),
      { type: 'hardlink', ...metadata('s/h'), linkTo: Buffer.from('s/d/f') },
      { type: 'fifo', ...metadata('s/p', 0o600) },
    ]),
  ).toEqual([])
  expect(readFileSync(join(target, 's/d/f'), 'utf8')).toBe('content')
  expect(lstatSync(join(target, 's/d/f')).mode & 0o7777).toBe(0o640)
  expect(lstatSync(join(target, 's/d')).mode & 0o7777).toBe(0o500)
  for (const path of ['s/d', 's/d/f', 's/d/l', 's/p'])
    expect(lstatSync(join(target, path)).mtimeMs).toBe(1_600_000_000_250)
  expect(lstatSync(join(target, 's/h')).ino).toBe(lstatSync(join(target, 's/d/f')).ino)
  expect(readlinkSync(join(target, 's/d/l'))).toBe('f')
  expect(lstatSync(join(target, 's/p')).isFIFO()).toBe(true)
})

test.for(['../x', '/x', 'a/../../x', 'a//x', './x', '', 'a/.', 'a\0b'])(
  'the path %j is refused, and the rest goes on',
  async (path) => {
    const problems = await problemsOf([file(path, 'evil'), file('good')])
    expect(problems).toHaveLength(1)
    expect(existsSync(join(base, 'x'))).toBe(false)
    expect(existsSync(join(target, 'good'))).toBe(true)
  },
)

test('nothing is written through a link that the entries made', async () => {
  mkdirSync(join(base, 'outside'), { mode: 0o700 })
  const before = statSync(join(base, 'outside'))
  const problems = await problemsOf([
    symlink('l', join(base, 'outside')),
    file('l/x', 'evil'),
    directory('l/d', 0o777),
    symlink('m', join(base, 'outside/y')),
    file('m', 'fine'),
  ])
  expect(problems.map(({ path }) => path)).toEqual(['l/x', 'l/d'])
  expect(existsSync(join(base, 'outside/x')) || existsSync(join(base, 'outside/y'))).toBe(false)
  expect(statSync(join(base, 'outside')).mtimeMs).toBe(before.mtimeMs)
  expect(readFileSync(join(target, 'm'), 'utf8')).toBe('fine')
})

test('nothing is written, or made different, through a link that was there before', async () => {
  mkdirSync(join(base, 'outside'), { mode: 0o700 })
  mkdirSync(target)
  writeFileSync(join(base, 'victim'), 'precious', { mode: 0o600 })
  symlinkSync(join(base, 'outside'), join(target, 'd'))
  symlinkSync(join(base, 'victim'), join(target, 'f'))
  await problemsOf([directory('d', 0o777), file('d/x'), file('f', 'new')])
  expect(existsSync(join(base, 'outside/x'))).toBe(false)
  expect(lstatSync(join(base, 'outside')).mode & 0o777).toBe(0o700)
  expect(readFileSync(join(base, 'victim'), 'utf8')).toBe('precious')
  expect(readFileSync(join(target, 'd/x'), 'utf8')).toBe('content')
})

test('a hard link to the outside, by its path or through a link, is refused', async () => {
  writeFileSync(join(base, 'secret'), 'secret')
  const hard = (path: string, to: string): Entry => ({
    type: 'hardlink',
    ...metadata(path),
    linkTo: Buffer.from(to),
  })
  const problems = await problemsOf([
    symlink('l', base),
    hard('a', '../secret'),
    hard('b', 'l/secret'),
    symlink('s', join(base, 'secret')),
    hard('c', 's'),
  ])
  expect(problems.map(({ path }) => path)).toEqual(['a', 'b', 'c'])
})

test('a directory is never replaced by a file', async () => {
  mkdirSync(join(target, 'd'), { recursive: true })
  writeFileSync(join(target, 'd/keep'), 'x')
  expect(await problemsOf([file('d')])).toHaveLength(1)
  expect(existsSync(join(target, 'd/keep'))).toBe(true)
})

test('a directory that is come back to keeps its mode and its time, whatever the order', async () => {
  expect(
    await problemsOf([
      directory('d', 0o500),
      directory('d/e', 0o500),
      file('f'),
      file('d/g'),
      directory('h', 0o700),
      file('d/e/i'),
      file('h/j'),
      file('d/k'),
    ]),
  ).toEqual([])
  for (const path of ['d', 'd/e', 'h']) expect(lstatSync(join(target, path)).mtimeMs).toBe(1_600_000_000_250)
  for (const path of ['d', 'd/e']) expect(lstatSync(join(target, path)).mode & 0o7777).toBe(0o500)
  for (const path of ['f', 'd/g', 'd/e/i', 'h/j', 'd/k']) expect(existsSync(join(target, path))).toBe(true)
})

test('a directory that somebody else has there is written in as far as its mode lets one', async () => {
  mkdirSync(join(target, 'theirs'), { recursive: true, mode: 0o755 })
  utimesSync(join(target, 'theirs'), 1000, 1000)
  expect(await problemsOf([file('theirs/f')])).toEqual([])
  expect(readFileSync(join(target, 'theirs/f'), 'utf8')).toBe('content')
  expect(lstatSync(join(target, 'theirs')).mode & 0o7777).toBe(0o755)
})

test('times before 1970 come back', async () => {
  const before = { mtimeNs: -1_500_000_000n }
  await problemsOf([
    { ...directory('d'), ...before },
    { ...file('d/f'), ...before },
    { ...symlink('d/l', 'f'), ...before },
  ])
  for (const path of ['d', 'd/f', 'd/l']) expect(lstatSync(join(target, path)).mtimeMs).toBe(-1500)
})

test('names that are no UTF-8 survive', async () => {
  const name = Buffer.from([0x61, 0xff])
  await problemsOf([file(name)])
  expect(readFileSync(Buffer.concat([Buffer.from(`${target}/`), name]), 'utf8')).toBe('content')
})

test('a sparse file gets its holes back, and its bytes', async () => {
  const bytes = Buffer.alloc(10_000_000)
  bytes.write('start', 0)
  bytes.write('middle', 5_000_001)
  await problemsOf([file('s', bytes, { sparse: true })])
  expect(readFileSync(join(target, 's')).equals(bytes)).toBe(true)
  expect(lstatSync(join(target, 's')).blocks * 512).toBeLessThan(100_000)
})

test('a file that can not be read whole is not left half-written', async () => {
  const broken: Entry = {
    ...file('broken'),
    type: 'file',
    size: 5,
    open: () => ({
      read: () => {
        throw new Error('chunk lost')
      },
      finish: () => ({ steady: true, mtimeNs: 0n }),
      close: () => undefined,
    }),
  }
  const problems = await problemsOf([broken, file('next')])
  expect(problems).toMatchObject([{ path: 'broken', message: 'chunk lost' }])
  expect(existsSync(join(target, 'broken'))).toBe(false)
  expect(existsSync(join(target, 'next'))).toBe(true)
})
