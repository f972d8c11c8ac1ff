import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { startPostgres } from '@pipe-backup-test/services'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

test('a PostgreSQL server goes into the vault and, piped out, into a second one, equal; a drill proves it', async () => {
  using sandbox = new Sandbox()
  await using server = await startPostgres()
  await using other = await startPostgres()
  server.query(
    "CREATE ROLE backup SUPERUSER LOGIN PASSWORD 'p w'; CREATE ROLE tipper LOGIN PASSWORD 'x'; CREATE DATABASE tipbot",
  )
  server.query(
    readFileSync(resolve(import.meta.dirname, '../../../packages/source-postgres/src/every-type.sql')),
    'tipbot',
  )
  server.query('ALTER TABLE log OWNER TO tipper', 'tipbot')
  const configured = (password: string) =>
    sandbox.configure({
      sources: [
        {
          type: 'postgres',
          name: 'database',
          databases: ['tipbot'],
          globals: true,
          user: 'backup',
          password,
          host: 'localhost',
          port: server.port,
          ssl: { ca: server.ca },
          drill: { user: 'postgres', socket: other.socket, port: other.port },
        },
      ],
      sinks: sandbox.sinks('one'),
    })
  configured('p w')
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const before = JSON.parse((await sandbox.run(['doctor', '--json'])).out.toString())
  const messages = before.checks
    .filter(({ subject }: { subject: string }) => subject === 'source database')
    .map(({ message }: { message: string }) => message)
  expect(messages).toEqual([
    '1 database can be dumped',
    'the scratch server for drills takes a database',
    'the scratch server for drills lacks roles that own things: tipper',
  ])
  await sandbox.ok(['run'])
  const cat = (path: string) => sandbox.ok(['cat', 'latest', path, '--phrase-file', 'phrase'])
  const globals = (await cat('database/@globals.sql')).toString()
  other.query(globals.replace(/^CREATE ROLE postgres;$/m, ''))
  other.query('CREATE DATABASE tipbot TEMPLATE template0')
  other.query(await cat('database/tipbot.sql'), 'tipbot')
  const rows = `SELECT * FROM kinds ORDER BY id; SELECT count(*) FROM parts; SELECT lo_get(4711);
    SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1; SELECT rolname, rolpassword FROM pg_authid ORDER BY 1`
  expect(other.query(rows, 'tipbot')).toBe(server.query(rows, 'tipbot'))
  const drill = await sandbox.ok(['verify', '--drill', '--phrase-file', 'phrase', '--json'])
  expect(JSON.parse(drill.toString())).toMatchObject({
    exitCode: 0,
    loaded: ['database/tipbot.sql'],
    failures: [],
  })
  configured('wrong')
  const failed = await sandbox.run(['run', '--json'])
  expect(failed.code).toBe(1)
  expect(failed.out.toString()).toContain('"state":"failed"')
  expect(failed.out.toString()).toContain('password authentication failed')
})
