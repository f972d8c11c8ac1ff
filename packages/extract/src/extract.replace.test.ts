import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry, SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ExtractOptions, ExtractReport } from './extract.ts'
import { preview } from './preview.ts'
import { extract, way } from './test-support/either-way.ts'
import { brokenFile, directory, fifo, file, hardlink, MTIME_NS, symlink } from './test-support/entries.ts'

const CHILD = join(import.meta.dirname, 'test-support/extract-child.ts')
const NODE = ['--conditions=pipe-backup-src', CHILD, way()]

let base: string
let target: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'extract-replace-'))
  chmodSync(base, 0o755)
  target = join(base, 'target')
  mkdirSync(target)
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

async function extracted(
  entries: Entry[],
  options: ExtractOptions = {},
): Promise<ExtractReport & { lines: string[] }> {
  const lines: string[] = []
  const onProblem = ({ path, message }: SourceProblem) => lines.push(`${path}: ${message}`)
  return { ...(await extract(entries, target, { ...options, onProblem })), lines }
}

/** As a user without rights. */
function extractedByNobody(lines: string[], overwrite = 'always') {
  const { stdout } = spawnSync(process.execPath, [...NODE, target, overwrite, ...lines], {
    uid: 65534,
    gid: 65534,
    encoding: 'utf8',
  })
  return JSON.parse(stdout)
}

/** Ends a child that extracts these and waits then. */
async function kill(lines: string[]): Promise<void> {
  const child = spawn(process.execPath, [...NODE, target, 'always', ...lines, 'wait'])
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
}

function put(path: string, text: string): void {
  writeFileSync(join(target, path), text)
}

const text = (path: string) => readFileSync(join(target, path), 'utf8')
const mode = (path: string) => lstatSync(join(target, path)).mode & 0o7777

test('a good local file stays when its stored copy is damaged, and nothing else is left of the attempt', async () => {
  put('f', 'good and local')
  symlinkSync('f', join(target, 'l'))
  const { lines } = await extracted([brokenFile('f'), brokenFile('l'), brokenFile('new')])
  expect(lines).toEqual(['f: chunk lost', 'l: chunk lost', 'new: chunk lost'])
  expect(text('f')).toBe('good and local')
  expect(readlinkSync(join(target, 'l'))).toBe('f')
  expect(readdirSync(target)).toEqual(['f', 'l'])
})

test('a good local file stays when the extraction is aborted in the middle of it', async () => {
  put('f', 'good and local')
  const abort = new AbortController()
  const large = file('f', () => {
    abort.abort()
    return Buffer.alloc(10)
  })
  await expect(extract([large], target, { signal: abort.signal })).rejects.toMatchObject({
    name: 'AbortError',
  })
  expect(text('f')).toBe('good and local')
  expect(readdirSync(target)).toEqual(['f'])
})

test('files, links and FIFOs replace each other', async () => {
  const names = ['f', 'l', 'p']
  const make = (at: number): Entry[] => [
    file(names[at % 3] ?? '', `text ${at}`),
    symlink(names[(at + 1) % 3] ?? '', 'to'),
    fifo(names[(at + 2) % 3] ?? ''),
  ]
  for (const at of [0, 1, 2]) expect((await extracted(make(at))).lines).toEqual([])
  expect(text('p')).toBe('text 2')
  expect(readdirSync(target)).toEqual(names)
})

test('a directory that was not asked for is made as it was, and one that is there stays as it is', async () => {
  mkdirSync(join(target, 'there'), { mode: 0o711 })
  chmodSync(join(target, 'there'), 0o711)
  const above = (path: string) => ({ ...directory(path, 0o700), ifMissing: true })
  const entries = [
    above('there'),
    above('there/gone'),
    file('there/gone/f'),
    above('elsewhere'),
    file('elsewhere/g'),
  ]
  expect(await Array.fromAsync(preview(entries, target), ({ path, state }) => `${state} ${path}`)).toEqual([
    'new there/gone',
    'new there/gone/f',
    'new elsewhere',
    'new elsewhere/g',
  ])
  expect(await extract(entries, target)).toMatchObject({ entries: 2, problems: 0 })
  const look = (path: string) => lstatSync(join(target, path), { bigint: true })
  expect([
    look('there').mode & 0o7777n,
    look('there/gone').mode & 0o7777n,
    look('elsewhere').mode & 0o7777n,
  ]).toEqual([0o711n, 0o700n, 0o700n])
  expect(look('there/gone').mtimeNs).toBe(MTIME_NS)
})

test('a hard link replaces a file, and one that is there already stays', async () => {
  put('h', 'old')
  const entries = [file('f'), hardlink('h', 'f')]
  for (const overwrite of ['always', 'changed', 'changed'] as const) {
    expect((await extracted(entries, { overwrite })).lines).toEqual([])
    expect(lstatSync(join(target, 'h')).ino).toBe(lstatSync(join(target, 'f')).ino)
  }
  expect(readdirSync(target)).toEqual(['f', 'h'])
})

test('a hard link to a file that was not written replaces nothing', async () => {
  put('f', 'old f')
  put('h', 'old h')
  const { lines } = await extracted([brokenFile('f'), hardlink('h', 'f')])
  expect(lines).toEqual(['f: chunk lost', 'h: was not linked: f was not written'])
  expect([text('f'), text('h')]).toEqual(['old f', 'old h'])
})

test.for(['file', 'symlink', 'hardlink', 'fifo'] as const)(
  'a directory in the way of a %s is reported in one line, and stays',
  async (type) => {
    mkdirSync(join(target, 'd'))
    put('d/keep', 'x')
    const entry = {
      file: file('d'),
      symlink: symlink('d', 'f'),
      hardlink: hardlink('d', 'f'),
      fifo: fifo('d'),
    }
    const { lines } = await extracted([file('f'), entry[type]])
    expect(lines).toEqual(['d: was not written: there is a directory of this name'])
    expect(text('d/keep')).toBe('x')
  },
)

test('a file in the way of a directory is replaced by it', async () => {
  put('d', 'old')
  expect((await extracted([directory('d'), file('d/f')])).lines).toEqual([])
  expect(readdirSync(target)).toEqual(['d'])
  expect(text('d/f')).toBe('content')
})

test('what a killed extraction has left under other names is removed by the next one, and nothing else', async () => {
  const left = (path: string) => join(target, path, '.pipe-backup-999999999-0123456789abcdef')
  mkdirSync(join(target, 'd/e'), { recursive: true })
  for (const path of ['', 'd', 'd/e']) writeFileSync(left(path), 'half of it')
  const others = ['.pipe-backup-1-0123456789abcdef', '.pipe-backup-999999999-0123', '.pipe-backup.json']
  for (const name of others) put(`d/${name}`, 'of somebody, or of a process that lives')
  expect((await extracted([directory('d'), file('d/f'), file('d/e/g')])).lines).toEqual([])
  expect(readdirSync(target)).toEqual(['d'])
  expect(readdirSync(join(target, 'd'))).toEqual([...others, 'e', 'f'].toSorted())
  expect(readdirSync(join(target, 'd/e'))).toEqual(['g'])
})

test('files of the same size and time are left, and opened no more; all others are written', async () => {
  let opened = 0
  const counted = (path: string, mtimeNs = MTIME_NS) =>
    file(
      path,
      () => {
        opened++
        return Buffer.from('content')
      },
      { mtimeNs },
    )
  const odd = [1_600_000_000_123_456_789n, -1n, -1_500_000_001n, 0n, 2_000_000_000_999_999_999n]
  const entries = [
    ...odd.map((mtimeNs, i) => counted(`same${i}`, mtimeNs)),
    counted('time'),
    counted('size'),
    counted('type'),
  ]
  expect(await extracted(entries)).toMatchObject({ entries: 8, unchanged: 0, lines: [] })
  expect(opened).toBe(8)
  utimesSync(join(target, 'time'), 5, 5)
  put('size', 'longer than before')
  utimesSync(join(target, 'size'), 1_600_000_000.25, 1_600_000_000.25)
  rmSync(join(target, 'type'))
  symlinkSync('same0', join(target, 'type'))
  expect(await extracted(entries, { overwrite: 'changed' })).toMatchObject({
    entries: 8,
    unchanged: odd.length,
    bytes: 21,
    lines: [],
  })
  expect(opened).toBe(8 + 3)
  for (const path of ['time', 'size', 'type']) expect(text(path)).toBe('content')
  expect(await extracted(entries)).toMatchObject({ unchanged: 0, bytes: 56 })
})

test('with never, whatever is there stays as it is, and what is not there is written', async () => {
  mkdirSync(join(target, 'd'), { mode: 0o700 })
  for (const path of ['d/f', 'link', 'dir']) put(path, 'mine')
  chmodSync(join(target, 'd/f'), 0o640)
  const entries = [
    file('dir'),
    directory('d', 0o755),
    file('d/f'),
    file('d/new'),
    hardlink('h', 'd/f'),
    symlink('link', 'elsewhere'),
  ]
  expect(await extracted(entries, { overwrite: 'never' })).toMatchObject({
    kept: 3,
    lines: ['h: was not linked: d/f was not written'],
  })
  expect([text('d/f'), text('link'), text('dir'), text('d/new')]).toEqual(['mine', 'mine', 'mine', 'content'])
  expect([mode('d/f'), mode('d')]).toEqual([0o640, 0o700])
})

test('with never, what an interrupted extraction may have left half written is reported', async () => {
  put('f', 'cont')
  put('.pipe-backup-unfinished', `some-boot ${BigInt(Date.now() - 5000) * 1_000_000n}\n`)
  const { lines } = await extracted([file('f')], { overwrite: 'never' })
  expect(lines).toEqual(['f: may be half of what an interrupted restore wrote: it was left'])
})

test('a file that is left gets its mode, owner and attributes all the same', async () => {
  const attributes = [{ name: Buffer.from('user.a'), value: Buffer.from('x') }]
  const odd = Buffer.from([0x61, 0xff])
  const entries = [
    file('f', 'content', { mode: 0o4751 }),
    file('a', 'content', { attributes }),
    file(odd, 'content', { attributes }),
  ]
  await extracted(entries)
  chmodSync(join(target, 'f'), 0o600)
  chownSync(join(target, 'f'), 1, 1)
  spawnSync('setfattr', ['-x', 'user.a', join(target, 'a')])
  expect(await extracted(entries, { overwrite: 'changed' })).toMatchObject({ unchanged: 2, lines: [] })
  expect([mode('f'), lstatSync(join(target, 'f')).uid]).toEqual([0o4751, 0])
  expect(spawnSync('getfattr', [join(target, 'a')]).stdout.toString()).toContain('user.a')
})

test('a file that shares its inode with one outside does not change that one', async () => {
  writeFileSync(join(base, 'outside'), 'outside')
  linkSync(join(base, 'outside'), join(target, 'f'))
  await extracted([file('f')])
  expect(readFileSync(join(base, 'outside'), 'utf8')).toBe('outside')
})

const READ_ONLY = ['d:555 mod', 'd:555 mod/a', 'f:444 mod/a/x', 'd:500 mod/b', 'f:444 mod/b/z', 'f:444 mod/y']

test('an ordinary user repeats an extraction into directories that let nobody write, also long after', async () => {
  chownSync(target, 65534, 65534)
  expect(extractedByNobody(READ_ONLY)).toMatchObject({ entries: 6, problems: 0 })
  spawnSync('find', [target, '-exec', 'touch', '-d', '1 hour ago', '{}', '+'])
  rmSync(join(target, 'mod/y'))
  rmSync(join(target, 'mod/b/z'))
  // The kernel's times of birth and change can't be set: a clock that is an hour ahead makes them an hour old.
  const late = `const now = Date.now; Date.now = () => now() + 3_600_000`
  const { stdout } = spawnSync(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(late)}`,
      ...NODE,
      target,
      'changed',
      ...READ_ONLY,
    ],
    { uid: 65534, gid: 65534, encoding: 'utf8' },
  )
  expect(JSON.parse(stdout)).toMatchObject({ entries: 6, problems: 0 })
  expect([text('mod/y'), text('mod/b/z')]).toEqual(['content', 'content'])
  expect(['mod', 'mod/a', 'mod/b'].map(mode)).toEqual([0o555, 0o555, 0o500])
})

test('a file is put into a read-only directory that is no entry itself, which has its mode afterwards', async () => {
  chownSync(target, 65534, 65534)
  extractedByNobody(READ_ONLY)
  rmSync(join(target, 'mod/a/x'))
  expect(extractedByNobody(['f:444 mod/a/x'])).toMatchObject({ entries: 1, problems: 0 })
  expect(['mod', 'mod/a'].map(mode)).toEqual([0o555, 0o555])
})

test('directories get their modes when the extraction fails in the middle of them', async () => {
  chownSync(target, 65534, 65534)
  expect(extractedByNobody(['d:555 mod', 'd:511 mod/a', 'fail'])).toMatchObject({
    error: 'the source ends here',
  })
  expect(['mod', 'mod/a'].map(mode)).toEqual([0o555, 0o511])
})

test('an extraction that was killed is repeated', async () => {
  await kill(['d:555 mod', 'f:444 mod/a', 'f:444 mod/b'])
  expect(mode('mod')).toBe(0o700)
  const all = [directory('mod', 0o555), ...['a', 'b', 'c'].map((name) => file(`mod/${name}`))]
  expect(await extracted(all, { overwrite: 'changed' })).toMatchObject({
    entries: 4,
    unchanged: 2,
    lines: [],
  })
  expect(mode('mod')).toBe(0o555)
})

test('a directory of somebody else whose mode can not be set is the one that is reported, not the next entry', () => {
  chmodSync(target, 0o777)
  mkdirSync(join(target, 'theirs'))
  chmodSync(join(target, 'theirs'), 0o777)
  expect(extractedByNobody(['d:755 theirs', 'f:644 theirs/f', 'f:644 z'])).toMatchObject({
    entries: 3,
    lines: [
      'theirs: not restored: the mode, operation not permitted (EPERM)',
      'theirs: not restored: the modification time, operation not permitted (EPERM)',
    ],
  })
  expect(existsSync(join(target, 'z'))).toBe(true)
})
