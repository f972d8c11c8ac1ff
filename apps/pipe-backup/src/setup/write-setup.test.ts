import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { writeSetup } from './write-setup.ts'

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'write-setup-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

test('what is not kept is taken back, with the directories that were made for it', async () => {
  const root = directory()
  {
    await using written = await writeSetup(join(root, 'a/b/c.yaml'), 'x: 1\n', [
      [join(root, 'a/b/secrets/s'), 's'],
    ])
    expect(written.replaced).toBe(undefined)
    expect(statSync(join(root, 'a/b/secrets/s')).mode & 0o777).toBe(0o600)
  }
  expect(readdirSync(root)).toEqual([])
})

test('a configuration that was there comes back when the new one is not kept, and else stays beside it', async () => {
  const file = join(directory(), 'c.yaml')
  writeFileSync(file, 'old')
  {
    await using _ = await writeSetup(file, 'new', [])
    expect(readFileSync(file, 'utf8')).toBe('new')
  }
  expect([readFileSync(file, 'utf8'), existsSync(`${file}.old`)]).toEqual(['old', false])
  writeFileSync(`${file}.old`, 'older')
  {
    await using written = await writeSetup(file, 'new', [])
    written.keep()
    expect(written.replaced).toBe(`${file}.old-2`)
  }
  expect([`${file}`, `${file}.old`, `${file}.old-2`].map((path) => readFileSync(path, 'utf8'))).toEqual([
    'new',
    'older',
    'old',
  ])
})

test('nothing is left where one of the files can not be written', async () => {
  const root = directory()
  writeFileSync(join(root, 'taken'), 'theirs')
  const secrets = [
    [join(root, 'secrets/s'), 's'],
    [join(root, 'taken'), 't'],
  ] as const
  await expect(writeSetup(join(root, 'c.yaml'), 'new', secrets)).rejects.toMatchObject({ code: 'exists' })
  expect(readdirSync(root)).toEqual(['taken'])
  expect(readFileSync(join(root, 'taken'), 'utf8')).toBe('theirs')
})
