import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSecureFile, replaceSecureFile, writeSecureFile } from './secure-file.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pipe-backup-key-'))
})

afterEach(async () => await rm(directory, { recursive: true }))

test('a new file is for its owner alone, and so are the directories made for it, whatever the umask', async () => {
  const before = process.umask(0)
  const file = join(directory, 'a', 'b', 'k')
  await writeSecureFile(file, 'text').finally(() => process.umask(before))
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await stat(join(directory, 'a', 'b'))).mode & 0o777).toBe(0o700)
  expect((await stat(join(directory, 'a'))).mode & 0o777).toBe(0o700)
  expect(await readSecureFile(file)).toBe('text')
})

test('nothing is ever replaced, not even through a link that points nowhere', async () => {
  const file = join(directory, 'k')
  await writeFile(file, 'old')
  await expect(writeSecureFile(file, 'new')).rejects.toMatchObject({ code: 'exists' })
  expect(await readFile(file, 'utf8')).toBe('old')
  await symlink(join(directory, 'target'), join(directory, 'link'))
  await expect(writeSecureFile(join(directory, 'link'), 'new')).rejects.toMatchObject({ code: 'exists' })
  await expect(stat(join(directory, 'target'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a file is replaced as a whole, for its owner alone, also where an earlier try was cut short', async () => {
  const file = join(directory, 'k')
  await writeSecureFile(file, 'old')
  await writeFile(join(directory, '.k.pipe-backup-new'), 'half', { mode: 0o644 })
  await replaceSecureFile(file, 'new')
  expect(await readSecureFile(file)).toBe('new')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['k'])
})

test.for([0o640, 0o604, 0o620, 0o601])('a file with mode %o is refused, with what to do', async (mode) => {
  const file = join(directory, 'k')
  await writeFile(file, 'text')
  await chmod(file, mode)
  await expect(readSecureFile(file)).rejects.toMatchObject({ code: 'exposed', hint: `chmod 600 ${file}` })
})

test('a file that is not there is nothing', async () => {
  expect(await readSecureFile(join(directory, 'k'))).toBeUndefined()
})
