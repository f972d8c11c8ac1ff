import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeSource } from '@pipe-backup/source/conformance'
import { afterAll } from 'vitest'
import { sqliteSource } from './sqlite-source.ts'
import { makeBank } from './test-support/databases.ts'

const directory = mkdtempSync(join(tmpdir(), 'sqlite-'))
const paths = ['b.db', 'a.db', 'a-b.db'].map((name) => join(directory, name))
const banks = paths.map((path, index) => makeBank(path, index === 0 ? 'wal' : 'delete', 20))
afterAll(() => {
  for (const bank of banks) bank.close()
  rmSync(directory, { recursive: true })
})

describeSource('sqlite', { make: () => sqliteSource({ name: 'database', paths }) })
