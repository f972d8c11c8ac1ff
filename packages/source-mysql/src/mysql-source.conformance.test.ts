import { describeSource } from '@pipe-backup/source/conformance'
import { type MariadbServer, startMariadb } from '@pipe-backup-test/services'
import { afterAll, beforeAll } from 'vitest'
import { mysqlSource } from './mysql-source.ts'

let server: MariadbServer
beforeAll(async () => {
  server = await startMariadb()
  for (const name of ['b', 'a', 'a-b']) {
    server.query(`CREATE DATABASE \`${name}\``)
    server.query('CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_1000', name)
  }
})
afterAll(() => server?.stop())

describeSource('mysql', {
  make: () => mysqlSource({ name: 'database', databases: 'all', user: 'root', socket: server.socket }),
})
