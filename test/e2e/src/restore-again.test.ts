import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { difference, MAIN, Sandbox } from './sandbox.ts'

const FILES = 2000
const sandbox = new Sandbox()
const tree = sandbox.path('tree')
const restore = ['restore', 'latest', '--phrase-file', 'phrase', '--json', '--to']

beforeAll(async () => {
  for (let i = 0; i < FILES; i++) {
    const directory = join(tree, `d${String(i % 20).padStart(2, '0')}`)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, `f${i}`), randomBytes(20_000))
  }
  writeFileSync(join(tree, 'large'), randomBytes(3_000_000))
  chmodSync(join(tree, 'd03'), 0o555)
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [tree] }],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
})
afterAll(() => sandbox[Symbol.dispose]())

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return []
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
}

/** Paths of the files below a directory, from there on. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    lstatSync(join(directory, path)).isFile(),
  )
}

function isOfTime(a: string, b: string): boolean {
  return Math.abs(lstatSync(a).mtimeMs - lstatSync(b).mtimeMs) < 0.01
}

const report = (out: Buffer) => JSON.parse(out.toString())

/** Bytes that the command has read, from whatever files: the kernel adds those of a child to its parent's. */
async function readBytes(args: string[]): Promise<number> {
  const script = '"$@" >/dev/null || exit; cat /proc/$$/io'
  const { stdout } = await execa('sh', ['-c', script, 'sh', process.execPath, MAIN, ...args], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    stdin: 'ignore',
  })
  return Number(/^rchar: (\d+)$/m.exec(stdout)?.[1])
}

test('a restore that was killed half-way is ended by the same command, which writes the other half alone', async () => {
  const to = sandbox.path('killed')
  const child = execa(process.execPath, [MAIN, ...restore, to], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    stdin: 'ignore',
    reject: false,
  })
  while (filesBelow(to).length < FILES / 2) await sleep(2)
  child.kill('SIGKILL')
  expect((await child).signal).toBe('SIGKILL')
  // One that a thread was just writing has its name, and not yet its time.
  const whole = filesIn(join(to, 'tree', tree)).filter(
    (path) => existsSync(join(tree, path)) && isOfTime(join(to, 'tree', tree, path), join(tree, path)),
  ).length
  expect(whole).toBeGreaterThan(FILES / 3)
  expect(whole).toBeLessThan(FILES)
  // What a kill at another moment would have left.
  writeFileSync(join(to, 'tree', tree, 'd03', '.pipe-backup-999999999-0123456789abcdef'), 'half of it')

  const again = report(await sandbox.ok([...restore, to]))
  expect(again).toMatchObject({ unchanged: whole, problems: 0 })
  expect(again.bytes).toBe((FILES - whole) * 20_000 + 3_000_000)
  expect(await difference(tree, join(to, 'tree', tree))).toBe('')
})

test('what is there already is not read from a sink, and with --overwrite always it is', async () => {
  const stored = await readBytes([...restore, 'all'])
  expect(stored).toBeGreaterThan(FILES * 20_000)
  expect(await readBytes([...restore, 'all'])).toBeLessThan(stored / 4)

  const changed = (path: string) => join(sandbox.path('all/tree'), tree, path)
  // A change that keeps size and time is what can't be seen.
  writeFileSync(changed('large'), Buffer.alloc(3_000_000, 'x'))
  await execa('touch', ['-r', join(tree, 'large'), changed('large')])
  utimesSync(changed('d00/f0'), 5, 5)
  expect(report(await sandbox.ok([...restore, 'all']))).toMatchObject({ unchanged: FILES, bytes: 20_000 })
  expect(report(await sandbox.ok([...restore, 'all', '--overwrite', 'always']))).toMatchObject({
    unchanged: 0,
    bytes: FILES * 20_000 + 3_000_000,
  })
  expect(await difference(tree, join(sandbox.path('all/tree'), tree))).toBe('')
})

test('a sink that may not be read is not taken for a damaged one by restore --repair', async () => {
  const packs = sandbox.path('sinks/one/packs')
  const stored = () =>
    readdirSync(packs, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
  const before = stored().map((path) => [path, lstatSync(path).ino])
  await execa('chown', ['-R', '65534:65534', sandbox.root])
  for (const path of stored()) chmodSync(path, 0o000)
  try {
    const nobody = { uid: 65534, gid: 65534 }
    const { code, err } = await sandbox.run([...restore, 'repaired', '--repair'], nobody)
    expect([code, err]).toEqual([0, expect.stringContaining('sink "one"')])
    expect(err).not.toMatch(/damaged|repaired/)
    expect(stored().map((path) => [path, lstatSync(path).ino])).toEqual(before)
    expect((await sandbox.run(['status'], nobody)).err).not.toContain('damaged')
    // In a directory that lets nobody write.
    rmSync(join(sandbox.path('repaired/tree'), tree, 'd03/f3'))
    expect(report((await sandbox.run([...restore, 'repaired', '--quiet'], nobody)).out)).toMatchObject({
      problems: 0,
      bytes: 20_000,
    })
  } finally {
    await execa('chown', ['-R', '0:0', sandbox.root])
    for (const path of stored()) chmodSync(path, 0o600)
  }
})

test('a full disk and a read-only one end a restore with one error, and what to do', async () => {
  const to = sandbox.path('small')
  mkdirSync(to)
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', to])
  try {
    const full = await sandbox.run(['restore', 'latest', '--phrase-file', 'phrase', '--to', to])
    expect(full.code).toBe(1)
    expect(full.err.split('\n').filter((line) => /^(pipe-backup|warning):/.test(line))).toEqual([
      expect.stringMatching(/^warning: .*small has 2\.0 MiB free, and \d.* MiB are to be restored/),
      expect.stringContaining(`${to} is full: no space left on device (ENOSPC)`),
      expect.stringMatching(/MiB are still to be written\. Free some space there/),
    ])
    // What was written may not be on the disk yet, and it is not through.
    expect(filesBelow(to).filter((name) => name.startsWith('.'))).toEqual(['.pipe-backup-unfinished'])
    await execa('mount', ['-o', 'remount,ro', to])
    const readOnly = await sandbox.run([
      'restore',
      'latest',
      '--phrase-file',
      'phrase',
      '--quiet',
      '--overwrite',
      'always',
      '--to',
      to,
    ])
    expect(readOnly.code).toBe(1)
    expect(readOnly.err.trimEnd().split('\n')).toEqual([
      expect.stringContaining(`${to} is read-only: read-only file system (EROFS)`),
      expect.stringContaining('Mount it for writing'),
    ])
  } finally {
    await execa('umount', [to])
  }
})
