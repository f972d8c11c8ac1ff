import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FilesNote } from './files.ts'
import { TestTree } from './test-support/test-tree.ts'

let tree: TestTree
beforeEach(() => {
  tree = new TestTree()
  for (const path of ['a/cache/x', 'a/keep', 'b/cache/x', 'b/a/cache/x']) {
    mkdirSync(dirname(tree.at(path)), { recursive: true })
    writeFileSync(tree.at(path), '')
  }
})
afterEach(() => tree[Symbol.dispose]())

test('a pattern that begins with a configured path is taken as meant: from the root on, and for that path alone', async () => {
  const { names } = await tree.walk({ exclude: [tree.at('a/cache/**')] }, [tree.at('a'), tree.at('b')])
  expect(names).toEqual([
    '/a',
    '/a/cache',
    '/a/keep',
    '/b',
    '/b/a',
    '/b/a/cache',
    '/b/a/cache/x',
    '/b/cache',
    '/b/cache/x',
  ])
})

test('order and negation hold among patterns of both kinds', async () => {
  const exclude = ['**/cache/*', `!${tree.at('a/cache/x')}`]
  const { names } = await tree.walk({ exclude }, [tree.at('a'), tree.at('b')])
  expect(names.filter((name) => name.endsWith('x'))).toEqual(['/a/cache/x'])
})

test('a configured path may be a link, and a pattern begin with it', async () => {
  symlinkSync('a', tree.at('link'))
  const { names } = await tree.walk({ exclude: [tree.at('link/cache')] }, [tree.at('link')])
  expect(names).toEqual(['/a', '/a/keep', '/link'])
})

test('a pattern that has left nothing out is named, and no other', async () => {
  const notes: FilesNote[] = []
  const exclude = ['cache', 'no.such', tree.at('b/nothing'), '# a comment', '', '!taken.back', '/keep']
  await tree.walk({ exclude, onNote: (note) => notes.push(note) }, [tree.at('a'), tree.at('b')])
  expect(notes.map(({ kind, path }) => [kind, path])).toEqual([
    ['unmatched', 'no.such'],
    ['unmatched', tree.at('b/nothing')],
  ])
})
