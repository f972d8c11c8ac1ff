import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fatalTargetError, messageOf } from './target-errors.ts'
import { extract, way } from './test-support/either-way.ts'
import { directory, file, symlink } from './test-support/entries.ts'

const CHILD = join(import.meta.dirname, 'test-support/extract-child.ts')

let target: string
let isMounted = false
beforeEach(() => {
  target = mkdtempSync(join(tmpdir(), 'extract-target-'))
  chmodSync(target, 0o755)
})
afterEach(() => {
  if (isMounted) execFileSync('umount', [target])
  isMounted = false
  rmSync(target, { recursive: true, force: true })
})

function mount(options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', target])
  isMounted = true
}

/** What is thrown, what was reported before, and how many entries were asked for. */
async function failureOf(entries: Entry[], directory = target) {
  const lines: string[] = []
  let asked = 0
  const onProblem = ({ path, message }: SourceProblem) => lines.push(`${path}: ${message}`)
  const counted = function* () {
    for (const entry of entries) {
      asked++
      yield entry
    }
  }
  const error: unknown = await extract(counted(), directory, { onProblem }).catch((thrown: unknown) => thrown)
  return { error, lines, asked }
}

const many = (text: string | Buffer): Entry[] => [
  directory('d', 0o555),
  ...Array.from({ length: 500 }, (_, i) => file(`d/f${String(i).padStart(3, '0')}`, text)),
]

test('on a full disk it stops at once, says what to do, keeps what is whole and leaves nothing half-written', async () => {
  mount('size=1m')
  const { error, lines, asked } = await failureOf(many(Buffer.alloc(100_000, 'x')))
  expect(error).toMatchObject({
    name: 'SourceError',
    code: 'unreadable',
    message: `${target} is full: no space left on device (ENOSPC)`,
    hint: expect.stringMatching(/^Free some space/),
  })
  expect(lines).toEqual([])
  expect(asked).toBeLessThan(20)
  const names = readdirSync(join(target, 'd'))
  expect(names.length).toBeGreaterThan(5)
  for (const name of names) expect(lstatSync(join(target, 'd', name)).size).toBe(100_000)
  expect(lstatSync(join(target, 'd')).mode & 0o777).toBe(0o555)
})

test('on a full disk a file that was there already stays as it was', async () => {
  mount('size=200k')
  writeFileSync(join(target, 'f'), 'good and local')
  const { error } = await failureOf([file('f', Buffer.alloc(400_000, 'x'))])
  expect(error).toMatchObject({ message: expect.stringContaining('ENOSPC') })
  expect(readFileSync(join(target, 'f'), 'utf8')).toBe('good and local')
  expect(readdirSync(target)).toEqual(['f'])
})

test('a disk without an inode left is full too', async () => {
  mount('size=1m,nr_inodes=5')
  const { error, asked } = await failureOf(many('x'))
  expect(error).toMatchObject({ message: expect.stringContaining('is full') })
  expect(asked).toBeLessThan(15)
})

test('what lies deeper than a path can be is reported with a way to have it, and the rest is there', async () => {
  const names = Array.from({ length: 100 }, () => 'x'.repeat(44))
  const deep = names.map((_, i) => directory(names.slice(0, i + 1).join('/'), 0o755))
  const { lines } = await failureOf([...deep, file('y', 'content')])
  expect(lines.length).toBeGreaterThan(5)
  for (const line of lines)
    expect(line).toMatch(/: was not written: its path is longer .* a tar \(restore > all.tar\)/)
  expect(readFileSync(join(target, 'y'), 'utf8')).toBe('content')
})

test('a disk that did not take what was written to it in memory is an error, and the mark of the unfinished stays', async () => {
  const programs = mkdtempSync(join(tmpdir(), 'extract-programs-'))
  const said = `sync: error syncing '${target}': Input/output error`
  writeFileSync(join(programs, 'sync'), `#!/bin/sh\necho "${said}" >&2\nexit 1\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${programs}:${process.env['PATH']}`)
  try {
    const { error } = await failureOf([file('a'), file('b')])
    expect(error).toMatchObject({
      name: 'SourceError',
      message: `${target} did not take all that was written: Input/output error`,
      hint: expect.stringContaining('to another disk'),
    })
    expect(readdirSync(target).sort()).toEqual(['.pipe-backup-unfinished', 'a', 'b'])
    // One that does not know the option says nothing of the disk.
    writeFileSync(join(programs, 'sync'), '#!/bin/sh\necho "sync: unrecognized option" >&2\nexit 1\n')
    expect(await failureOf([file('a'), file('b')])).toMatchObject({ error: { entries: 2, problems: 0 } })
  } finally {
    vi.unstubAllEnvs()
    rmSync(programs, { recursive: true })
  }
})

test('each file system that was written to is waited for', async () => {
  const programs = mkdtempSync(join(tmpdir(), 'extract-programs-'))
  const said = join(programs, 'said')
  writeFileSync(join(programs, 'sync'), `#!/bin/sh\nprintf '%s\\n' "$@" > ${said}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${programs}:${process.env['PATH']}`)
  const other = join(target, 'other')
  mkdirSync(join(other, 'made'), { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', other])
  try {
    await extract([directory('other'), file('other/made/f'), file('g')], target)
    expect(readFileSync(said, 'utf8').split('\n')).toEqual(['--file-system', '--', target, other, ''])
  } finally {
    vi.unstubAllEnvs()
    execFileSync('umount', [other])
    rmSync(programs, { recursive: true })
  }
})

test('of a link that was not made its own path is not shown under the name that it has for a moment', () => {
  const error = Object.assign(
    new Error("EPERM: operation not permitted, symlink 'f1' -> '/t/.pipe-backup-1-2'"),
    {
      errno: -1,
      code: 'EPERM',
      syscall: 'symlink',
      path: 'f1',
      dest: '/t/.pipe-backup-1-2',
    },
  )
  expect(messageOf(error, '/t')).toBe('was not written: operation not permitted (EPERM)')
})

test('a quota that is used up stops it as a full disk does', () => {
  const error = Object.assign(new Error('x'), {
    errno: -122,
    code: getSystemErrorName(-122),
    syscall: 'write',
  })
  expect(fatalTargetError('/t', error, () => true)).toMatchObject({
    message: '/t is full: disk quota exceeded (EDQUOT)',
    hint: expect.stringContaining('have the quota raised'),
  })
})

test('on a read-only file system it stops at the first entry', async () => {
  mount('size=1m')
  execFileSync('mount', ['-o', 'remount,ro', target])
  for (const directory of [target, join(target, 'new')]) {
    const { error, lines, asked } = await failureOf(many('x'), directory)
    expect(error).toMatchObject({
      name: 'SourceError',
      message: `${directory} is read-only: read-only file system (EROFS)`,
      hint: expect.stringContaining('Mount it for writing'),
    })
    expect([lines, asked > 1]).toEqual([[], false])
  }
})

function byNobody(to: string, lines: string[]) {
  const args = ['--conditions=pipe-backup-src', CHILD, way(), to, 'always', ...lines]
  return JSON.parse(spawnSync(process.execPath, args, { uid: 65534, gid: 65534, encoding: 'utf8' }).stdout)
}

test.for(['', 'new'])('a target %j that may not be written in is reported once', (name) => {
  const to = join(target, name)
  const answer = byNobody(to, ['d:755 d', 'f:644 d/a', 'f:644 d/b', 'f:644 e'])
  expect(answer).toMatchObject({
    error: expect.stringContaining(`${to}`),
    hint: expect.stringContaining('a directory that you may write in'),
    lines: [],
  })
  expect(answer.error).toMatch(/permission denied \(EACCES\)$/)
})

test('where one directory may not be written in, the others are filled', () => {
  chmodSync(target, 0o777)
  mkdirSync(join(target, 'theirs'))
  const answer = byNobody(target, ['f:644 theirs/a', 'd:755 theirs/d', 'f:644 z'])
  expect(answer.lines).toEqual([
    'theirs/a: was not written: permission denied (EACCES)',
    'theirs/d: was not written: permission denied (EACCES)',
  ])
  expect(readFileSync(join(target, 'z'), 'utf8')).toBe('content')
})

test('a file in the place of the target is reported as such', async () => {
  writeFileSync(join(target, 'f'), '')
  for (const path of [join(target, 'f'), join(target, 'f/g')])
    expect(await failureOf([], path)).toMatchObject({
      error: { name: 'SourceError', message: `${path} is no directory, or something above it is none` },
    })
})

test.for([
  9_400_000_000_000n,
  300_000_000_000n,
  10n ** 17n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  -9_000_000_000_000n,
])('a time of %i seconds is set as near as can be, and reported in one line', async (seconds) => {
  const mtimeNs = seconds * 1_000_000_000n
  const { error, lines } = await failureOf([
    { ...directory('d'), mtimeNs },
    file('d/f', 'content', { mtimeNs }),
    { ...symlink('d/l', 'f'), mtimeNs },
    file('d/usual'),
  ])
  expect(error).toMatchObject({ entries: 4, problems: 1 })
  expect(lines).toEqual([
    expect.stringMatching(/^d\/f: not restored: the modification time of 3 entries, this the first/),
  ])
  const set = lstatSync(join(target, 'd/f'), { bigint: true }).mtimeNs
  expect(set > 0n).toBe(seconds > 0n)
})
