import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { SourceProblem } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FilesNote } from './files.ts'
import { type FilesSourceOptions, filesSource } from './files-source.ts'
import type { FilesSeen } from './memory.ts'
import { TestTree } from './test-support/test-tree.ts'

let tree: TestTree
let kept: FilesSeen | undefined
beforeEach(() => {
  tree = new TestTree()
  kept = undefined
  mkdirSync(tree.at('data'))
})
afterEach(() => tree[Symbol.dispose]())

function fill(count: number, bytes = 1): void {
  for (let i = 0; i < count; i++) writeFileSync(tree.at('data', `f${i}`), Buffer.alloc(bytes))
}

function clear(): void {
  rmSync(tree.at('data'), { recursive: true })
  mkdirSync(tree.at('data'))
}

/** One walk, with what the one before has seen, through JSON as on a disk. */
async function walk(
  more: Partial<FilesSourceOptions> = {},
): Promise<{ problems: SourceProblem[]; notes: FilesNote[] }> {
  const problems: SourceProblem[] = []
  const notes: FilesNote[] = []
  const source = filesSource({
    name: 'data',
    paths: [tree.at('data')],
    memory: {
      read: () => Promise.resolve(kept),
      write: (seen) => {
        kept = JSON.parse(JSON.stringify(seen))
        return Promise.resolve()
      },
    },
    onNote: (note) => notes.push(note),
    ...more,
  })
  for await (const _ of source.entries({ onProblem: (problem) => problems.push(problem) }));
  return { problems, notes }
}

test('a path that is suddenly empty is a problem in each walk until it has entries again', async () => {
  fill(3)
  expect((await walk()).problems).toEqual([])
  clear()
  for (let time = 0; time < 3; time++)
    expect((await walk()).problems).toEqual([
      {
        code: 'vanished',
        path: tree.at('data').slice(1),
        message:
          'empty, where 3 entries were before. Mount its disk, or set `allowEmpty: true` if it is meant to be so.',
      },
    ])
  fill(2)
  expect((await walk()).problems).toEqual([])
})

test('a path that was always empty, or may be, is no problem', async () => {
  expect((await walk()).problems).toEqual([])
  expect((await walk()).problems).toEqual([])
  fill(1)
  await walk()
  clear()
  expect((await walk({ allowEmpty: true })).problems).toEqual([])
  expect((await walk()).problems).toEqual([])
})

test('of several paths the one that is empty is named, and one that all of a sudden has only excluded entries is empty, too', async () => {
  fill(1)
  mkdirSync(tree.at('other'))
  writeFileSync(tree.at('other/x'), '')
  const paths = [tree.at('data'), tree.at('other')]
  await walk({ paths, exclude: ['*.log'] })
  rmSync(tree.at('other/x'))
  writeFileSync(tree.at('other/y.log'), '')
  const { problems } = await walk({ paths, exclude: ['*.log'] })
  expect(problems.map(({ path }) => path)).toEqual([tree.at('other').slice(1)])
})

test('what a link leads to is remembered as well', async () => {
  fill(2)
  symlinkSync('data', tree.at('link'))
  await walk({ paths: [tree.at('link')] })
  clear()
  expect((await walk({ paths: [tree.at('link')] })).problems).toHaveLength(1)
})

test('a path that was a mount point and is none any more is a problem, though there is something in it', async () => {
  fill(1)
  await walk()
  const path = tree.at('data')
  kept = { ...(kept as FilesSeen), paths: { [path]: { entries: 1, isMountPoint: true } } }
  for (let time = 0; time < 2; time++)
    expect((await walk()).problems.map(({ message }) => message)).toEqual([
      'nothing is mounted there any more. Mount its disk, or set `allowEmpty: true` if it is meant to be so.',
    ])
  expect((await walk({ allowEmpty: true })).problems).toEqual([])
  expect((await walk()).problems).toEqual([])
})

test.for([
  ['entries', 30, 1, 2, 1, '3 entries, where 31 were before'],
  ['bytes', 5, 300_000, 5, 20, '100 bytes, where 1500000 were before'],
] as const)(
  'nine tenths of the %s gone is a note, once, and no problem',
  async ([, before, beforeBytes, after, afterBytes, message]) => {
    fill(before, beforeBytes)
    await walk()
    clear()
    fill(after, afterBytes)
    const { problems, notes } = await walk()
    expect({ problems, notes }).toEqual({ problems: [], notes: [{ kind: 'shrunk', path: '', message }] })
    expect((await walk()).notes).toEqual([])
  },
)

test('a cache that is left out is named, and in the next walk known', async () => {
  mkdirSync(tree.at('data/target'))
  writeFileSync(tree.at('data/target/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n')
  writeFileSync(tree.at('data/target/important'), '')
  const reported = async () => (await walk()).notes.map(({ kind, path, isKnown }) => [kind, path, isKnown])
  const path = tree.at('data/target').slice(1)
  expect(await reported()).toEqual([['cache', path, false]])
  expect(await reported()).toEqual([['cache', path, true]])
})

test('memory that is of another form is none', async () => {
  fill(1)
  for (const read of [5, null, 'x', {}, { paths: [] }, { paths: { a: 1 }, entries: 1, bytes: 1 }]) {
    const memory = { read: () => Promise.resolve(read), write: () => Promise.resolve() }
    expect((await walk({ memory })).problems).toEqual([])
  }
})
