import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { withTimeout } from '@pipe-backup/source'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FilesNote } from './files.ts'
import { filesSource } from './files-source.ts'
import { Mounted } from './test-support/mounted.ts'
import { readEntry, TestTree } from './test-support/test-tree.ts'

let tree: TestTree
let mounted: Mounted
beforeEach(() => {
  tree = new TestTree()
  mounted = new Mounted()
})
afterEach(() => {
  mounted[Symbol.dispose]()
  tree[Symbol.dispose]()
})
const at = (...parts: string[]) => tree.at(...parts)

test('directories that are to be left out are, also through links that are configured', async () => {
  mkdirSync(at('data/sink/packs'), { recursive: true })
  writeFileSync(at('data/x'), '')
  symlinkSync('data', at('link'))
  const notes: FilesNote[] = []
  const leaveOut = [
    { path: at('link/sink'), what: 'a sink' },
    { path: at('not there'), what: 'none' },
  ]
  const { names } = await tree.walk({ leaveOut, onNote: (note) => notes.push(note) }, [at('link')])
  expect(names).toEqual(['/data', '/data/x', '/link'])
  expect(notes).toEqual([{ kind: 'left-out', path: at('data/sink').slice(1), message: 'it is a sink' }])
})

test('a source that is nothing but such a directory has failed', async () => {
  const reading = tree.walk({ leaveOut: [{ path: tree.root, what: 'a sink' }] })
  await expect(reading).rejects.toMatchObject({ name: 'SourceError', code: 'skipped' })
})

describe.runIf(process.getuid?.() === 0)('with mounts', () => {
  test('what the kernel shows of itself is not entered, and the walk ends', async () => {
    for (const name of ['proc', 'sys', 'tmp']) mkdirSync(at(name))
    mounted.mount(at('proc'), '-t', 'proc', 'proc')
    mounted.mount(at('sys'), '-t', 'sysfs', 'sysfs')
    mounted.mount(at('tmp'), '-t', 'tmpfs', 'tmpfs')
    writeFileSync(at('tmp/file'), '')
    const { names, problems } = await tree.walk()
    expect(names).toEqual(['/proc', '/sys', '/tmp', '/tmp/file'])
    expect(problems.map(({ code, path }) => [code, path])).toEqual([
      ['skipped', at('proc').slice(1)],
      ['skipped', at('sys').slice(1)],
    ])
  })

  test('a path in there that is asked for by name is taken', async () => {
    mkdirSync(at('proc'))
    mounted.mount(at('proc'), '-t', 'proc', 'proc')
    const { names } = await tree.walk({}, [tree.root, at('proc/sys/kernel/random')])
    expect(names.slice(0, 2)).toEqual(['/proc', '/proc/sys/kernel/random'])
    expect(names).toContain('/proc/sys/kernel/random/uuid')
  })

  test('a directory that is to be left out is, wherever it is mounted a second time', async () => {
    for (const name of ['sink', 'data/again']) mkdirSync(at(name), { recursive: true })
    writeFileSync(at('sink/pack'), '')
    mounted.mount(at('data/again'), '--bind', at('sink'))
    const { names } = await tree.walk({ leaveOut: [{ path: at('sink'), what: 'a sink' }] }, [at('data')])
    expect(names).toEqual(['/data'])
  })

  test('a disk that is not mounted any more is missed, though its mount point has a file', async () => {
    let kept: unknown
    const memory = {
      read: () => Promise.resolve(kept),
      write: (seen: unknown) => Promise.resolve(void (kept = seen)),
    }
    mkdirSync(at('disk'))
    writeFileSync(at('disk/NOT MOUNTED'), '')
    const source = filesSource({ name: 'disk', paths: [at('disk')], memory })
    const problems: string[] = []
    const walk = async () => {
      for await (const _ of source.entries({ onProblem: ({ message }) => problems.push(message) }));
    }
    {
      using disk = new Mounted()
      disk.mount(at('disk'), '-t', 'tmpfs', 'tmpfs')
      writeFileSync(at('disk/file'), '')
      await walk()
      expect(problems).toEqual([])
    }
    await walk()
    expect(problems).toEqual([expect.stringContaining('nothing is mounted there any more')])
  })

  test('a mount point in the tree that never answers is reported, and the rest is taken', async () => {
    for (const name of ['a', 'hangs', 'z']) mkdirSync(at(name))
    await mounted.hanging(at('hangs'), 'INIT')
    const { names, problems } = await tree.walk({ answerMs: 200 })
    expect(names).toEqual(['/a', '/z'])
    expect(problems).toEqual([
      {
        code: 'unreadable',
        path: at('hangs').slice(1),
        message: 'not taken: what is mounted there has not answered for 0.2 s',
      },
    ])
  })

  test('a name that is listed twice is taken once', async () => {
    mkdirSync(at('doubles'))
    await mounted.hanging(at('doubles'), 'TWICE')
    const { names, problems } = await tree.walk()
    expect([names, problems]).toEqual([['/doubles', '/doubles/file'], []])
  })

  test('one that is excluded is not even asked', async () => {
    mkdirSync(at('hangs'))
    await mounted.hanging(at('hangs'), 'INIT')
    expect(await tree.walk({ exclude: ['hangs'] })).toMatchObject({ names: [], problems: [] })
  })

  test.for(['INIT', 'READDIR', 'OPEN', 'READ', 'FLUSH'])(
    'a source whose file system stops answering at %s fails in time, and nothing else waits for it',
    async (never) => {
      mkdirSync(at('hangs'))
      symlinkSync('.', at('link'))
      await mounted.hanging(at('hangs'), never)
      const source = withTimeout(filesSource({ name: 'x', paths: [at('link/hangs')] }), { silentMs: 300 })
      const reading = (async () => {
        for await (const entry of source.entries({ onProblem: () => undefined }))
          if (entry.type === 'file') await readEntry(entry)
      })()
      let ticks = 0
      const ticking = setInterval(() => ticks++, 10)
      await expect(reading).rejects.toMatchObject({ name: 'SourceError', code: 'timeout' })
      clearInterval(ticking)
      expect(ticks).toBeGreaterThan(5)
    },
  )

  test('what a file system of a program answers is read as that of a disk is', async () => {
    mkdirSync(at('fuse'))
    await mounted.hanging(at('fuse'), 'nothing')
    expect(statSync(at('fuse/file')).size).toBe(1024 * 1024)
    const { entries, problems } = await tree.walk({}, [at('fuse')], async (entry) => {
      if (entry.type !== 'file') return
      const { bytes, end } = await readEntry(entry)
      expect([bytes.length, end.steady]).toEqual([1024 * 1024, true])
    })
    expect({ names: [...entries.keys()], problems }).toEqual({ names: ['/fuse', '/fuse/file'], problems: [] })
  })
})
