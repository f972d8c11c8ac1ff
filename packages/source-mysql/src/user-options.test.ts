import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MariadbServer, startMariadb } from '@pipe-backup-test/services'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { checkMysql } from './check-mysql.ts'
import { mysql } from './mysql-source.ts'
import { oddOptions } from './user-options.ts'

const home = mkdtempSync(join(tmpdir(), 'pipe-backup-test-'))
const leak = join(home, 'leak.sql')
let server: MariadbServer

beforeAll(async () => {
  server = await startMariadb()
  server.query(
    'CREATE DATABASE shop; USE shop; CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (4711)',
  )
})
afterEach(() => vi.unstubAllEnvs())
afterAll(async () => {
  await server?.stop()
  rmSync(home, { recursive: true })
})

/** What is dumped with this in the user's option file. */
async function dumpWith(optionFile: string): Promise<string> {
  writeFileSync(join(home, '.my.cnf'), optionFile)
  vi.stubEnv('HOME', home)
  const [first] = await Array.fromAsync(mysql({ databases: ['shop'], socket: server.socket }))
  if (first?.type !== 'file') throw new Error('no dump')
  const reader = await first.open()
  const bytes = Buffer.alloc(65_536)
  let length = 0
  for (let got = 1; got > 0; length += got) got = await reader.read(bytes.subarray(length))
  await reader.finish()
  return bytes.toString('utf8', 0, length)
}

test('an option file that logs in is used, whatever else in it is harmless', async () => {
  const file = '[client]\nuser=root\n[mysqldump]\nquick\nquote-names\nmax_allowed_packet=16M\nskip-triggers\n'
  expect(await dumpWith(`${file}[mysql]\nhtml\nvertical\n`)).toContain('(4711)')
})

test.for([
  'no-data',
  'no_data',
  'where=1=0',
  'ignore-table=shop.t',
  'loose-ignore-table-data=shop.t',
  'no-create-info',
  'skip-create-options',
  'force',
  `result-file=${leak}`,
])('%s in an option file is refused, by a dump and by a check', async (line) => {
  const file = `[client]\nuser=root\n[mysqldump]\n${line}\n`
  const refused = {
    code: 'command-failed',
    message: expect.stringContaining(`says ${line.replaceAll('_', '-').replace(/^loose-|=.*/g, '')}`),
    hint: expect.stringContaining('Take it out of the file'),
  }
  await expect(dumpWith(file)).rejects.toMatchObject(refused)
  await expect(checkMysql({ databases: ['shop'], socket: server.socket })).rejects.toMatchObject(refused)
  expect(existsSync(leak)).toBe(false)
})

test('options are known by their names', () => {
  const printed =
    '--user=u --password=***** --ssl-verify-server-cert=0 --no-autocommit --column-statistics=0 --quote-names --opt'
  expect(
    oddOptions(`mysqldump would have been started with the following arguments:\n${printed} \n`),
  ).toEqual([])
  expect(oddOptions('--skip-opt --no-dat --xml --quote-names=0')).toEqual([
    'skip-opt',
    'no-dat',
    'xml',
    'quote-names',
  ])
})
