import { linkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Links, linkKey } from './links.ts'
import { TestTree } from './test-support/test-tree.ts'

const NAME = Buffer.from([0x61, 0xff, 0x2f, 0x00, 0xe9])

function linked(tree: TestTree) {
  writeFileSync(tree.at('1'), 'x')
  for (const name of ['2', '3']) linkSync(tree.at('1'), tree.at(name))
  return statSync(tree.at('1'), { bigint: true })
}

test('the first path comes back byte by byte, until the last name was met', () => {
  using tree = new TestTree()
  const stat = linked(tree)
  const links = new Links()
  expect(links.earlier(stat, NAME)).toBeUndefined()
  expect(links.earlier(stat, Buffer.from('b'))).toEqual(NAME)
  expect(links.earlier(stat, Buffer.from('c'))).toEqual(NAME)
  expect(links.earlier(stat, Buffer.from('d'))).toBeUndefined()
})

test('a first name that is forgotten is followed by a new first', () => {
  using tree = new TestTree()
  const stat = linked(tree)
  const links = new Links()
  links.earlier(stat, NAME)
  links.forget(linkKey(stat))
  expect(links.earlier(stat, Buffer.from('b'))).toBeUndefined()
  expect(links.earlier(stat, Buffer.from('c'))).toEqual(Buffer.from('b'))
})

test('a file that was given the number of a deleted one is another file', () => {
  using tree = new TestTree()
  const stat = linked(tree)
  rmSync(tree.at('1'))
  const later = { ...stat, birthtimeNs: stat.birthtimeNs + 1n }
  expect(linkKey(later)).not.toBe(linkKey(stat))
  const unborn = { ...stat, birthtimeNs: 0n }
  expect(linkKey({ ...unborn, ctimeNs: stat.ctimeNs + 1n })).not.toBe(linkKey(unborn))
  expect(linkKey({ ...stat, ctimeNs: stat.ctimeNs + 1n })).toBe(linkKey(stat))
})
