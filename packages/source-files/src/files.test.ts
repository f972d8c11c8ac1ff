import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { FileEntry, SourceProblem } from '@pipe-backup/source'
import { describeSource } from '@pipe-backup/source/conformance'
import { afterAll, afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { type FilesOptions, files } from './files.ts'
import { filesSource } from './files-source.ts'
import { readEntry, TestTree } from './test-support/test-tree.ts'

const isRoot = process.getuid?.() === 0
let tree: TestTree
let root: string
beforeEach(() => {
  tree = new TestTree()
  root = tree.root
})
afterEach(() => tree[Symbol.dispose]())
const at = (...parts: string[]) => tree.at(...parts)
const walked = (options?: FilesOptions, paths?: string[]) => tree.walk(options, paths)

const conformingTree = new TestTree()
afterAll(() => conformingTree[Symbol.dispose]())
const conforming = conformingTree.root
mkdirSync(join(conforming, 'd/e'), { recursive: true })
for (const name of ['a', 'd.x', 'd/b', 'd/e/c']) writeFileSync(join(conforming, name), name.repeat(3000))
linkSync(join(conforming, 'a'), join(conforming, 'd/z'))
symlinkSync('a', join(conforming, 'link'))
describeSource('files', { make: () => filesSource({ name: 'files', paths: [conforming] }) })

test('names that are not UTF-8 are taken as their bytes', async () => {
  const name = Buffer.from([0x6e, 0xff, 0xfe, 0x0a, 0x22])
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'x')
  const { names } = await walked()
  expect(names).toEqual([`/${name.toString('latin1')}`])
})

test('mode, owner and times are those of the file, to the nanosecond', async () => {
  writeFileSync(at('file'), 'x')
  chmodSync(at('file'), 0o6751)
  execFileSync('touch', ['--date=1969-07-20T20:17:40.123456789Z', at('file')])
  const entry = (await walked()).entries.get('/file')
  expect(entry).toMatchObject({ mode: 0o6751, uid: process.getuid?.(), mtimeNs: -14_182_939_876_543_211n })
})

test.runIf(isRoot)('owners have the names that this machine knows them by, and none otherwise', async () => {
  for (const [name, id] of [
    ['known', 1],
    ['unknown', 3_000_000_000],
  ] as const) {
    writeFileSync(at(name), 'x')
    chownSync(at(name), id, id)
  }
  const { entries } = await walked()
  const nameOf = (database: string) =>
    execFileSync('getent', [database, '1'], { encoding: 'utf8' }).split(':')[0]
  expect(entries.get('/known')).toMatchObject({
    uid: 1,
    user: nameOf('passwd'),
    gid: 1,
    group: nameOf('group'),
  })
  expect(entries.get('/unknown')).toMatchObject({ uid: 3_000_000_000, user: '', group: '' })
})

test.runIf(isRoot)('devices are taken by their numbers, however large, and never opened', async () => {
  execFileSync('mknod', [at('tty'), 'c', '4', '64'])
  execFileSync('mknod', [at('large'), 'b', '4095', '1048575'])
  const { entries } = await walked()
  expect([entries.get('/large'), entries.get('/tty')]).toMatchObject([
    { type: 'block-device', major: 4095, minor: 1_048_575 },
    { type: 'character-device', major: 4, minor: 64 },
  ])
})

test('each type of file is what it is; a socket is left out with a note', async () => {
  writeFileSync(at('file'), 'x')
  symlinkSync('nowhere', at('link'))
  linkSync(at('file'), at('second'))
  execFileSync('mkfifo', [at('fifo')])
  mkdirSync(at('empty'))
  const server = createServer().listen(at('socket'))
  onTestFinished(() => void server.close())
  const { entries, problems } = await walked()
  expect([...entries].map(([name, { type }]) => `${name} ${type}`)).toEqual([
    ' directory',
    '/empty directory',
    '/fifo fifo',
    '/file file',
    '/link symlink',
    '/second hardlink',
  ])
  expect(problems).toMatchObject([{ code: 'skipped', path: at('socket').slice(1) }])
})

test('a path longer than the system takes in one call is walked and read', async () => {
  const name = 'n'.repeat(250)
  // A shell keeps the whole path; Python's chdir takes each step from where it is.
  const descend = `import os, sys
os.chdir(sys.argv[1])
for _ in range(20):
    os.mkdir(sys.argv[2])
    os.chdir(sys.argv[2])
open('bottom', 'w').write('deep\\n')`
  execFileSync('python3', ['-c', descend, root, name])
  const { entries, problems } = await walked()
  const bottom = [...entries.values()].at(-1)
  expect({ problems, path: bottom?.path.length, bytes: (await readEntry(bottom)).bytes.toString() }).toEqual({
    problems: [],
    path: root.length - 1 + 20 * 251 + '/bottom'.length,
    bytes: 'deep\n',
  })
})

test('a file with holes says so, and reads as zeros', async () => {
  writeFileSync(at('holes'), 'start')
  truncateSync(at('holes'), 5_000_000)
  const entry = (await walked()).entries.get('/holes')
  const { bytes } = await readEntry(entry)
  expect({
    sparse: (entry as FileEntry).sparse,
    length: bytes.length,
    zeros: bytes.subarray(5).every((byte) => byte === 0),
  }).toEqual({
    sparse: true,
    length: 5_000_000,
    zeros: true,
  })
})

test('a file that is written to while it is read did not hold still', async () => {
  writeFileSync(at('log'), Buffer.alloc(1_000_000, 'x'))
  utimesSync(at('log'), 1, 1)
  const entry = (await walked()).entries.get('/log') as FileEntry
  const reader = await entry.open()
  await reader.read(Buffer.alloc(1000))
  appendFileSync(at('log'), 'more')
  while ((await reader.read(Buffer.alloc(300_000))) > 0) continue
  expect(await reader.finish()).toMatchObject({ steady: false })
})

test('a file changed a moment ago is waited for until its next change is sure to show', async () => {
  writeFileSync(at('fresh'), 'x')
  const entry = (await walked()).entries.get('/fresh')
  const { bytes, end } = await readEntry(entry)
  const { ctimeNs, ino } = statSync(at('fresh'), { bigint: true })
  expect({ text: bytes.toString(), end }).toEqual({
    text: 'x',
    end: { steady: true, mtimeNs: entry?.mtimeNs, identity: { ctimeNs, inode: ino } },
  })
})

test('and for as long as it takes, when the clock is set back a little meanwhile', async () => {
  writeFileSync(at('fresh'), 'x')
  const entry = (await walked()).entries.get('/fresh')
  const now = Date.now.bind(Date)
  const clock = vi.spyOn(Date, 'now').mockImplementationOnce(now)
  clock.mockImplementation(() => now() - 20)
  const { end } = await readEntry(entry)
  clock.mockRestore()
  expect(end).toHaveProperty('identity.ctimeNs', statSync(at('fresh'), { bigint: true }).ctimeNs)
})

test.for<[string, (path: string) => void]>([
  ['a symbolic link', (path) => symlinkSync('/etc/passwd', path)],
  ['a FIFO', (path) => execFileSync('mkfifo', [path])],
  ['a directory', (path) => mkdirSync(path)],
  ['nothing', () => undefined],
])('%s in the place of a file that was listed is never read as it', async ([, replace]) => {
  writeFileSync(at('file'), 'listed')
  const entry = (await walked()).entries.get('/file') as FileEntry
  // Renamed, so that its number stays taken.
  renameSync(at('file'), at('elsewhere'))
  replace(at('file'))
  await expect((async () => entry.open())()).rejects.toMatchObject({ name: 'SourceError', code: 'vanished' })
})

test('when the first name of a hard link can not be read, the next one is a file of its own', async () => {
  writeFileSync(at('a'), 'both')
  linkSync(at('a'), at('b'))
  const types: string[] = []
  for await (const entry of files([root])) {
    types.push(entry.type)
    if (entry.type !== 'file' || !Buffer.from(entry.path).toString().endsWith('/a')) continue
    rmSync(at('a'))
    await (async () => entry.open())().catch(() => undefined)
  }
  expect(types).toEqual(['directory', 'file', 'file'])
})

test('a directory that vanishes is reported, and the rest goes on', async () => {
  for (const name of ['a', 'b', 'c']) mkdirSync(at(name))
  for (const name of ['a/1', 'b/1', 'c/1']) writeFileSync(at(name), 'x')
  const seen: string[] = []
  const problems: string[] = []
  for await (const { path } of files([root], { onProblem: ({ code }) => problems.push(code) })) {
    seen.push(
      Buffer.from(path)
        .toString()
        .slice(root.length - 1),
    )
    if (seen.at(-1) === '/a/1') rmSync(at('b'), { recursive: true })
  }
  expect({ seen, problems }).toEqual({ seen: ['', '/a', '/a/1', '/c', '/c/1'], problems: ['vanished'] })
})

test('patterns exclude what git would ignore', async () => {
  const patterns = [
    '*.log',
    '!keep.log',
    '/top',
    'deep/**/tmp',
    'only-dir/',
    'a?c',
    '[xy]z',
    '#no',
    '\\#yes',
    'sp ace',
    'trail\\ ',
    '**/any/x',
    'mid/*/end',
  ]
  const paths = [
    'x.log',
    'keep.log',
    's/keep.log',
    's/y.log',
    'top',
    's/top',
    'deep/tmp/f',
    'deep/1/2/tmp/f',
    'only-dir/f',
    's/only-dir',
    'abc',
    'ac',
    's/axc',
    'xz',
    'zz',
    '#no',
    '#yes',
    'sp ace',
    'q/any/x',
    'any/x',
    'any/y',
    'mid/1/end',
    'mid/1/2/end',
    'X.LOG',
  ]
  for (const path of paths) {
    mkdirSync(join(at(path), '..'), { recursive: true })
    writeFileSync(at(path), 'x')
  }
  execFileSync('git', ['init', '--quiet'], { cwd: root })
  writeFileSync(at('.git/info/exclude'), `${patterns.join('\n')}\n`)
  const kept = execFileSync(
    'git',
    ['-c', 'core.quotePath=off', 'ls-files', '--others', '--exclude-standard'],
    { cwd: root, encoding: 'utf8' },
  )
  const { entries } = await walked({ exclude: [...patterns, '.git'] })
  const ours = [...entries].filter(([, { type }]) => type === 'file').map(([name]) => name.slice(1))
  expect(ours.sort()).toEqual(kept.trim().split('\n').sort())
})

test('what is in a directory marked as a cache is left out, unless it was asked for by name', async () => {
  mkdirSync(at('cache'))
  writeFileSync(at('cache/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n')
  writeFileSync(at('cache/data'), 'x')
  mkdirSync(at('not'))
  writeFileSync(at('not/CACHEDIR.TAG'), 'something else')
  writeFileSync(at('not/data'), 'x')
  expect((await walked()).names).toEqual([
    '/cache',
    '/cache/CACHEDIR.TAG',
    '/not',
    '/not/CACHEDIR.TAG',
    '/not/data',
  ])
  expect((await walked({ excludeCaches: false })).names).toContain('/cache/data')
  expect((await walked({}, [at('cache')])).names).toContain('/cache/data')
})

test.runIf(isRoot)('with oneFileSystem another device is not entered', async () => {
  mkdirSync(at('mounted'))
  execFileSync('mount', ['-t', 'tmpfs', 'none', at('mounted')])
  try {
    writeFileSync(at('mounted/far'), 'x')
    writeFileSync(at('near'), 'x')
    expect((await walked({ oneFileSystem: true })).names).toEqual(['/mounted', '/near'])
    expect((await walked()).names).toEqual(['/mounted', '/mounted/far', '/near'])
  } finally {
    execFileSync('umount', [at('mounted')])
  }
})

test('paths that nest or repeat give each entry once, in order', async () => {
  mkdirSync(at('d/e'), { recursive: true })
  for (const name of ['a', 'd/f', 'd/e/g', 'd.x']) writeFileSync(at(name), name)
  const { names } = await walked({}, [at('d/e'), root, at('d/f'), `${root}/./d`])
  expect(names).toEqual(['/a', '/d', '/d/e', '/d/e/g', '/d/f', '/d.x'])
})

test('a single file, and one of two paths that is not there', async () => {
  writeFileSync(at('only'), 'x')
  const { names, problems } = await walked({}, [at('only'), at('missing')])
  expect({ names, codes: problems.map(({ code }) => code) }).toEqual({
    names: ['/only'],
    codes: ['vanished'],
  })
})

test('reading leaves the time of access as it was', async () => {
  writeFileSync(at('file'), 'x'.repeat(1000))
  utimesSync(at('file'), 1_000_000_000, 1_100_000_000)
  await readEntry((await walked()).entries.get('/file'))
  expect(execFileSync('stat', ['--format=%X', at('file')], { encoding: 'utf8' }).trim()).toBe('1000000000')
})

test('a file of /proc, whose size is 0, is read to its end', async () => {
  const problems: SourceProblem[] = []
  for await (const entry of files(['/proc/self/mountinfo'], {
    onProblem: (problem) => problems.push(problem),
  })) {
    expect((await readEntry(entry)).bytes.toString()).toBe(readFileSync('/proc/self/mountinfo', 'utf8'))
  }
  expect(problems).toEqual([])
})
