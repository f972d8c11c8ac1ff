import { describeSource } from '@pipe-backup/source/conformance'
import { type PostgresServer, startPostgres } from '@pipe-backup-test/services'
import { afterAll, beforeAll } from 'vitest'
import { postgresSource } from './postgres-source.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
  for (const name of ['b', 'a', 'a-b']) {
    server.query(`CREATE DATABASE "${name}"`)
    server.query('CREATE TABLE t AS SELECT generate_series(1, 1000) AS id', name)
  }
})
afterAll(() => server?.stop())

describeSource('postgres', {
  make: () =>
    postgresSource({
      name: 'database',
      databases: ['a-b', 'b', 'a'],
      globals: true,
      user: 'postgres',
      socket: server.socket,
      port: server.port,
    }),
})
