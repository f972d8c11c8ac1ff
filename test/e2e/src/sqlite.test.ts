import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const WRITER = resolve(import.meta.dirname, '../../../packages/source-sqlite/src/test-support/writer.ts')

test('an SQLite database that is written to goes into the vault, and comes back whole', async () => {
  using sandbox = new Sandbox()
  const path = sandbox.path('bank.db')
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA journal_mode=WAL; CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INTEGER);
    CREATE TABLE moves (id INTEGER PRIMARY KEY, amount INTEGER, filler BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO accounts SELECT i, 1000 FROM n`)
  database.close()
  chmodSync(path, 0o640)
  writeFileSync(sandbox.path('text.db'), 'no database, but text. '.repeat(500))
  const configured = (...paths: string[]) =>
    sandbox.configure({
      sources: [{ type: 'sqlite', name: 'database', paths }],
      sinks: sandbox.sinks('one'),
    })
  configured('bank.db')
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const writer = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let committed = 0
  writer.stdout.setEncoding('utf8').on('data', (lines: string) => {
    committed = Number(lines.trimEnd().split('\n').at(-1))
  })
  try {
    await once(writer.stdout, 'data')
    const before = committed
    await sandbox.ok(['run'])
    await sandbox.ok(['restore', 'latest', 'database', '--phrase-file', 'phrase', '--to', 'restored'])
    const restored = sandbox.path('restored/database', path)
    expect(statSync(restored).mode & 0o777).toBe(0o640)
    using found = new DatabaseSync(restored)
    expect(found.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    expect(found.prepare('SELECT sum(amount) AS sum FROM accounts').get()).toEqual({ sum: 100_000 })
    expect(Number(found.prepare('SELECT max(id) AS max FROM moves').get()?.['max'])).toBeGreaterThanOrEqual(
      before,
    )
  } finally {
    writer.kill('SIGKILL')
    await once(writer, 'exit')
  }

  configured('bank.db', 'text.db')
  const doctor = await sandbox.run(['doctor', '--json'])
  expect(doctor.out.toString()).toContain('1 database can be copied')
  expect(doctor.out.toString()).toMatch(/text\.db is no SQLite database, or an encrypted one/)
  expect((await sandbox.run(['run'])).code).toBe(3)
  rmSync(path)
  configured('bank.db')
  const failed = await sandbox.run(['run', '--json'])
  expect(failed.code).toBe(1)
  expect(failed.out.toString()).toMatch(/"state":"failed".*bank\.db is not there/)
})
