import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { startMariadb } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

test('a database goes into the vault and, piped out, into a second server, equal', async () => {
  using sandbox = new Sandbox()
  await using server = await startMariadb()
  await using other = await startMariadb()
  server.query(
    "CREATE DATABASE tipbot; CREATE USER backup@localhost IDENTIFIED BY 'pw'; GRANT ALL ON *.* TO backup@localhost",
  )
  server.query(
    readFileSync(resolve(import.meta.dirname, '../../../packages/source-mysql/src/every-type.sql')),
    'tipbot',
  )
  sandbox.configure({
    sources: [
      {
        type: 'mysql',
        name: 'database',
        databases: ['tipbot'],
        user: 'backup',
        password: { env: 'PW' },
        socket: server.socket,
      },
    ],
    sinks: sandbox.sinks('one'),
  })
  const env = {
    PW: 'pw',
    XDG_CONFIG_HOME: sandbox.path('home/config'),
    XDG_STATE_HOME: sandbox.path('home/state'),
  }
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'], { env })
  const dump = await sandbox.ok(['cat', 'latest', 'database/tipbot.sql', '--phrase-file', 'phrase'])
  other.query('CREATE DATABASE tipbot')
  other.query(dump, 'tipbot')
  const tables = server
    .query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tipbot' AND table_type = 'BASE TABLE'",
    )
    .trim()
    .split('\n')
    .slice(1)
  for (const table of tables) {
    const sql = `CHECKSUM TABLE \`${table}\` EXTENDED`
    expect(other.query(sql, 'tipbot')).toBe(server.query(sql, 'tipbot'))
  }
  const failed = await sandbox.run(['run', '--json'], { env: { ...env, PW: 'wrong' } })
  expect(failed.code).toBe(1)
  expect(failed.out.toString()).toContain('"state":"failed"')
  expect((await sandbox.ok(['snapshots', '--json'])).toString().trim().split('\n')).toHaveLength(1)
})
