import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { findSqlite } from './find-sqlite.ts'

test('databases are found by name and content, once each, and not through links', async () => {
  const root = mkdtempSync(join(tmpdir(), 'find-sqlite-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'a/b'), { recursive: true })
  const file = join(root, 'a/b/app.db')
  new DatabaseSync(file).exec('CREATE TABLE t (x)')
  writeFileSync(join(root, 'a/other.db'), 'of Berkeley, say')
  writeFileSync(join(root, 'a/empty.sqlite'), '')
  symlinkSync(file, join(root, 'link.db'))
  symlinkSync(join(root, 'a'), join(root, 'again'))
  const { signal } = new AbortController()
  expect(await findSqlite([root, file, join(root, 'missing')], signal)).toEqual([file])
  await expect(findSqlite([root], AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
})
