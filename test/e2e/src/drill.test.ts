import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startMariadb } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

test('a drill reads every byte back, and loads dumps into a scratch server that it leaves as it was', async () => {
  using sandbox = new Sandbox()
  await using server = await startMariadb()
  await using scratch = await startMariadb()
  server.query('CREATE DATABASE shop')
  server.query(
    'CREATE TABLE orders (id INT PRIMARY KEY, what TEXT); INSERT INTO orders SELECT seq, "it" FROM seq_1_to_5000',
    'shop',
  )
  scratch.query(
    'CREATE USER drill@localhost IDENTIFIED BY \'a "quoted" # one\'; GRANT ALL ON *.* TO drill@localhost',
  )
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'x'.repeat(100_000))
  const password = 'a "quoted" # one'
  const configured = (drill: object) =>
    sandbox.configure({
      sources: [
        { type: 'files', name: 'tree', paths: ['tree'] },
        { type: 'mysql', name: 'database', databases: ['shop'], user: 'root', socket: server.socket, drill },
      ],
      sinks: sandbox.sinks('one', 'two'),
    })
  configured({ user: 'drill', password, socket: scratch.socket })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  const drill = (...more: string[]) =>
    sandbox.run(['verify', '--drill', ...more, '--phrase-file', 'phrase', '--json'])
  const passed = await drill()
  expect(JSON.parse(passed.out.toString())).toMatchObject({
    exitCode: 0,
    loaded: ['database/shop.sql'],
    failures: [],
  })
  expect(scratch.query('SHOW DATABASES')).not.toContain('pipe_backup_drill')

  configured({ user: 'drill', password: 'wrong', socket: scratch.socket })
  const refused = await drill()
  expect(refused.code).toBe(1)
  expect(refused.err).toMatch(/database\/shop\.sql: .*Access denied/)

  configured({ user: 'drill', password, socket: scratch.socket })
  for (const sink of ['one', 'two'])
    for (const entry of readdirSync(sandbox.path('sinks', sink, 'packs'), {
      recursive: true,
      withFileTypes: true,
    })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const bytes = readFileSync(path)
      bytes[300] = (bytes[300] ?? 0) ^ 1
      writeFileSync(path, bytes)
    }
  expect((await drill()).code).toBe(1)
})
