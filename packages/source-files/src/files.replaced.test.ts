import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { FileEntry } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { readEntry, TestTree } from './test-support/test-tree.ts'

const isRoot = process.getuid?.() === 0
let tree: TestTree
beforeEach(() => {
  tree = new TestTree()
})
afterEach(() => tree[Symbol.dispose]())
const at = (...parts: string[]) => tree.at(...parts)

/** What a file descriptor of this process is open on; undefined when it is open no more. */
function leadsTo(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

/** As programs that care replace a file: no moment without one. */
function replace(name: string, bytes: string, mode = 0o644): void {
  writeFileSync(at('new'), bytes, { mode })
  renameSync(at('new'), at(name))
}

async function opened(name: string): Promise<FileEntry> {
  const entry = (await tree.walk()).entries.get(name)
  if (entry?.type !== 'file') throw new Error('not a file')
  return entry
}

test('a file that was replaced since it was listed is taken as it is now, with its own mode and times', async () => {
  writeFileSync(at('wallet'), 'old', { mode: 0o644 })
  const entry = await opened('/wallet')
  replace('wallet', 'new and secret', 0o600)
  const { bytes, end } = await readEntry(entry)
  const { ino, mtimeNs } = statSync(at('wallet'), { bigint: true })
  expect({ text: bytes.toString(), steady: end.steady }).toEqual({ text: 'new and secret', steady: true })
  expect(entry).toMatchObject({ mode: 0o600, size: 14, mtimeNs, identity: { inode: ino } })
})

test('a mode that was changed since the file was listed is that of the entry', async () => {
  writeFileSync(at('key'), 'secret', { mode: 0o644 })
  const entry = await opened('/key')
  chmodSync(at('key'), 0o600)
  await readEntry(entry)
  expect(entry.mode).toBe(0o600)
})

test('a file replaced while it was read is unsteady, and read again as what is there', async () => {
  writeFileSync(at('config'), 'a'.repeat(200_000))
  const entry = await opened('/config')
  const reader = await entry.open()
  await reader.read(Buffer.alloc(1000))
  replace('config', 'b'.repeat(100_000))
  while ((await reader.read(Buffer.alloc(60_000))) > 0) continue
  expect((await reader.finish()).steady).toBe(false)
  const { bytes, end } = await readEntry(entry)
  expect({ steady: end.steady, same: bytes.equals(Buffer.alloc(100_000, 'b')) }).toEqual({
    steady: true,
    same: true,
  })
})

test('a hard link never points at a name that has got another file’s bytes', async () => {
  writeFileSync(at('a'), 'first')
  linkSync(at('a'), at('b'))
  linkSync(at('a'), at('c'))
  const texts: string[] = []
  await tree.walk({}, [tree.root], async (entry, name) => {
    if (name === '/a') replace('a', 'second')
    if (entry.type === 'file') texts.push(`${name} ${(await readEntry(entry)).bytes.toString()}`)
    else if (entry.type === 'hardlink')
      texts.push(`${name} -> ${Buffer.from(entry.linkTo).toString().at(-1)}`)
  })
  expect(texts).toEqual(['/a second', '/b first', '/c -> b'])
})

test('files of many names are taken once, each under the first name that the walk meets', async () => {
  for (const name of ['x', 'y']) writeFileSync(at(name), name)
  mkdirSync(at('d'))
  for (const name of ['x', 'y']) for (const link of ['1', '2']) linkSync(at(name), at('d', `${name}${link}`))
  const links: Record<string, string> = {}
  await tree.walk({}, [tree.root], (entry, name) => {
    if (entry.type === 'hardlink')
      links[name] = Buffer.from(entry.linkTo)
        .toString()
        .slice(tree.root.length - 1)
  })
  expect(links).toEqual({ '/d/x2': '/d/x1', '/d/y2': '/d/y1', '/x': '/d/x1', '/y': '/d/y1' })
})

test('a directory replaced by another while it is walked is reported: what was taken is of both', async () => {
  mkdirSync(at('app'))
  for (const name of ['1', '2']) writeFileSync(at('app', name), 'old')
  const { names, problems } = await tree.walk({}, [tree.root], (_, name) => {
    if (name !== '/app/1') return
    renameSync(at('app'), at('before'))
    mkdirSync(at('app'))
    for (const other of ['2', '3']) writeFileSync(at('app', other), 'new')
  })
  expect(names).toEqual(['/app', '/app/1', '/app/2'])
  expect(problems).toEqual([expect.objectContaining({ code: 'changed', path: at('app').slice(1) })])
})

test('a directory replaced by a link to another is not listed through it', async () => {
  mkdirSync(at('d'))
  writeFileSync(at('d/inside'), 'x')
  const { names, problems } = await tree.walk({}, [tree.root], (_, name) => {
    if (name !== '/d') return
    renameSync(at('d'), at('moved'))
    symlinkSync('/etc', at('d'))
  })
  expect(names).toEqual(['/d'])
  expect(problems).toEqual([expect.objectContaining({ code: 'vanished', path: at('d').slice(1) })])
})

test.runIf(isRoot)(
  'with oneFileSystem a configured path is entered that is mounted when it is first listed',
  async () => {
    mkdirSync(at('mounted'))
    const walking = tree.walk({ oneFileSystem: true }, [at('mounted')], (_, name) => {
      if (name !== '/mounted') return
      // As an automounter does.
      execFileSync('mount', ['-t', 'tmpfs', 'none', at('mounted')])
      writeFileSync(at('mounted/file'), 'x')
    })
    const { names } = await walking.finally(() => execFileSync('umount', [at('mounted')]))
    expect(names).toEqual(['/mounted', '/mounted/file'])
  },
)

const HOLD_LEASE = `
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
def asked(*_):
    time.sleep(0.3)
    os.pwrite(fd, b'what was held back', 0)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
signal.signal(signal.SIGIO, asked)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
time.sleep(60)`

test('a file that a file server has on lease is waited for until that has written what it held back', async () => {
  writeFileSync(at('leased'), 'what the disk has.')
  const holder = spawn('python3', ['-c', HOLD_LEASE, at('leased')], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  const { bytes, end } = await readEntry(await opened('/leased'))
  expect({ text: bytes.toString(), steady: end.steady }).toEqual({ text: 'what was held back', steady: true })
})

test('an abort ends the wait for a file on lease, with its reason', async () => {
  writeFileSync(at('leased'), 'x')
  const holder = spawn('python3', ['-c', HOLD_LEASE.replace('0.3', '30'), at('leased')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  const stop = new AbortController()
  const entry = (await tree.walk({ signal: stop.signal })).entries.get('/leased') as FileEntry
  const opening = entry.open()
  setTimeout(() => stop.abort(new Error('enough')), 100)
  await expect(opening).rejects.toThrow('enough')
})

test('an abort while a large file is read rejects with its reason, and every file is given back', async () => {
  writeFileSync(at('large'), Buffer.alloc(3_000_000))
  const stop = new AbortController()
  const entry = (await tree.walk({ signal: stop.signal })).entries.get('/large') as FileEntry
  const isOpen = () => readdirSync('/proc/self/fd').some((fd) => leadsTo(fd) === at('large'))
  const reader = await entry.open()
  await reader.read(Buffer.alloc(1000))
  expect(isOpen()).toBe(true)
  const reading = reader.read(Buffer.alloc(1_000_000))
  stop.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
  await reader.close()
  expect(() => entry.open()).toThrow('enough')
  expect(isOpen()).toBe(false)
})

test('a file of size 0 that is filled while it is read comes to an end, and is unsteady', async () => {
  writeFileSync(at('log'), '')
  const reader = await (await opened('/log')).open()
  writeFileSync(at('log'), 'x'.repeat(1000))
  const piece = Buffer.alloc(100)
  const got = await reader.read(piece)
  expect([got, await reader.read(piece), (await reader.finish()).steady]).toEqual([100, 0, false])
})

test('a directory that is deleted while it is walked does not end the walk', async () => {
  mkdirSync(at('d'))
  for (const name of ['1', '2', '3']) writeFileSync(at('d', name), name)
  writeFileSync(at('e'), 'e')
  const { names, problems } = await tree.walk({}, [tree.root], (_, name) => {
    if (name === '/d/1') rmSync(at('d'), { recursive: true })
  })
  expect(names).toEqual(['/d', '/d/1', '/e'])
  expect(problems.map(({ code, path }) => `${code} ${path}`)).toEqual(
    ['2', '3'].map((name) => `vanished ${at('d', name).slice(1)}`),
  )
})
