import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '@pipe-backup/source'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Overwrite } from './extract.ts'
import { preview } from './preview.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pipe-backup-preview-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const metadata = { mode: 0o644, uid: 0, gid: 0, user: '', group: '', mtimeNs: 5_000_000_000n }
const file = (path: string, size: number): Entry => ({
  ...metadata,
  type: 'file',
  path: Buffer.from(path),
  size,
  open: () => {
    throw new Error('nothing is to be read')
  },
})
const other = (entry: { type: 'directory' } | { type: 'symlink'; target: Buffer }, path: string): Entry => ({
  ...metadata,
  ...entry,
  path: Buffer.from(path),
})

async function statesOf(entries: readonly Entry[], overwrite?: Overwrite) {
  const found: Record<string, string> = {}
  for await (const { path, state } of preview(entries, directory, { overwrite }))
    found[Buffer.from(path).toString()] = state
  return found
}

test('it says what would be written, what is there, and what is in the way, and changes nothing', async () => {
  mkdirSync(join(directory, 'there'))
  mkdirSync(join(directory, 'in-the-way'))
  for (const name of ['there/same', 'there/longer', 'there/touched'])
    writeFileSync(join(directory, name), 'abc')
  for (const name of ['there/same', 'there/longer']) utimesSync(join(directory, name), 5, 5)
  symlinkSync('same', join(directory, 'there/link'))
  symlinkSync('there', join(directory, 'through'))
  const entries = [
    other({ type: 'directory' }, 'there'),
    file('there/same', 3),
    file('there/longer', 4),
    file('there/touched', 3),
    file('there/new', 1),
    other({ type: 'symlink', target: Buffer.from('same') }, 'there/link'),
    other({ type: 'directory' }, 'absent'),
    file('absent/deep/file', 1),
    file('in-the-way', 1),
    file('through/file', 1),
    file('../outside', 1),
  ]
  expect(await statesOf(entries, 'changed')).toEqual({
    there: 'same',
    'there/same': 'same',
    'there/longer': 'changed',
    'there/touched': 'changed',
    'there/new': 'new',
    'there/link': 'same',
    absent: 'new',
    'absent/deep/file': 'new',
    'in-the-way': 'blocked',
    'through/file': 'blocked',
    '../outside': 'blocked',
  })
  expect(await statesOf(entries)).toMatchObject({ 'there/same': 'changed' })
  expect(await statesOf(entries, 'never')).toMatchObject({
    'there/same': 'same',
    'there/longer': 'kept',
    'there/new': 'new',
    'in-the-way': 'blocked',
  })
  expect(existsSync(join(directory, 'absent'))).toBe(false)
})

test('into a directory that is not there everything is new', async () => {
  directory = join(directory, 'not', 'there')
  expect(await statesOf([file('a', 1), other({ type: 'directory' }, 'b')])).toEqual({ a: 'new', b: 'new' })
  directory = join(directory, '../..')
})
