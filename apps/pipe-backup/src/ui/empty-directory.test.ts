import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requireEmptyDirectory } from './empty-directory.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'empty-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('a directory that is new, or empty, or a link to one will do', async () => {
  mkdirSync(join(root, 'empty'))
  symlinkSync('empty', join(root, 'link'))
  for (const name of ['empty', 'link', 'new', 'new/below'])
    await expect(requireEmptyDirectory(join(root, name))).resolves.toBeUndefined()
})

test('what has something in it, or is no directory, is refused with what to do', async () => {
  mkdirSync(join(root, 'full/.hidden'), { recursive: true })
  writeFileSync(join(root, 'file'), '')
  for (const name of ['full', 'file', 'file/below'])
    await expect(requireEmptyDirectory(join(root, name))).rejects.toMatchObject({
      code: 'not-empty',
      message: expect.stringContaining(join(root, name)),
      hint: expect.stringContaining('restore --to'),
    })
})
