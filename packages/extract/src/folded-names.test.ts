import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FoldedNames, foldsNames } from './folded-names.ts'
import { TargetDirectory } from './target-directory.ts'

const parts = (path: string) => path.split('/').map((part) => Buffer.from(part))

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'folded-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

test.for([
  [['File', 'file'], ['file']],
  [['a/É', 'a/é', 'b/é'], ['a/é']],
  [
    ['Dir', 'Dir/same', 'dir', 'dir/same', 'dir/other'],
    ['dir', 'dir/same', 'dir/other'],
  ],
  [
    ['Mix', 'mix/in', 'mix/in/it'],
    ['mix/in', 'mix/in/it'],
  ],
  [['a/x', 'b/X', 'c'], []],
  [['a', 'a/b', 'a/b/C', 'a/b/c/d', 'a/d'], ['a/b/c/d']],
  [['x/y', 'x/y'], []],
] as const)('of %j the file system would take %j for another', ([paths, refused]) => {
  const names = new FoldedNames()
  const found = paths.filter((path) => {
    try {
      names.claim(parts(path))
      return false
    } catch (error) {
      expect(error).toMatchObject({ name: 'SourceError', message: expect.stringContaining('has its name') })
      return true
    }
  })
  expect(found).toEqual(refused)
})

test('what distinguishes names is found out without a trace', () => {
  const directory = temporary()
  expect(foldsNames(Buffer.from(directory))).toBe(false)
  expect(readdirSync(directory)).toEqual([])
  expect(foldsNames(Buffer.from(join(directory, 'missing')))).toBe(false)
})

test('nothing is made in a directory whose name another one has taken', () => {
  const directory = temporary()
  const target = new TargetDirectory(
    directory,
    () => undefined,
    () => true,
  )
  target.ensureParents(parts('Dir/a'))
  expect(() => target.ensureParents(parts('dir/a'))).toThrow('Dir has its name')
  expect(readdirSync(directory)).toEqual(['Dir'])
  expect(lstatSync(join(directory, 'Dir')).isDirectory()).toBe(true)
})
