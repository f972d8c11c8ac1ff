import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type MariadbServer, startMariadb } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

let server: MariadbServer
const tls = new Sandbox()

/** An authority, a server's certificate for localhost and 127.0.0.1, and a client's. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: tls.root, stdio: 'pipe' })
  const key = (name: string) => ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`]
  openssl('req', '-x509', ...key('ca'), '-out', 'ca.pem', '-subj', '/CN=authority', '-days', '2')
  openssl('req', '-x509', ...key('stranger'), '-out', 'stranger.pem', '-subj', '/CN=stranger', '-days', '2')
  writeFileSync(tls.path('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  for (const name of ['server', 'client']) {
    const subject = name === 'server' ? 'localhost' : 'backup'
    openssl('req', ...key(name), '-out', `${name}.csr`, '-subj', `/CN=${subject}`)
    const names = name === 'server' ? ['-extfile', 'names'] : []
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...by, ...names)
  }
  execFileSync('chmod', ['-R', 'a+rX', tls.root])
}

beforeAll(async () => {
  makeCertificates()
  server = await startMariadb([
    `--ssl-ca=${tls.path('ca.pem')}`,
    `--ssl-cert=${tls.path('server.pem')}`,
    `--ssl-key=${tls.path('server.key')}`,
  ])
  server.query(`CREATE USER backup@'127.0.0.1' IDENTIFIED BY 'pw' REQUIRE X509; GRANT ALL ON *.* TO backup@'127.0.0.1';
    CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1)`)
})
afterAll(async () => {
  await server?.stop()
  tls[Symbol.dispose]()
})

test('a user that must show a certificate is served, a server with a strange one is refused, and a drill goes the same way', async () => {
  using sandbox = new Sandbox()
  const configure = (ca: string, more: object = {}) => {
    const ssl = { ca: tls.path(ca), cert: tls.path('client.pem'), key: tls.path('client.key'), ...more }
    const reached = { user: 'backup', password: 'pw', host: '127.0.0.1', port: server.port, ssl }
    const source = { type: 'mysql', name: 'database', databases: ['shop'], ...reached, drill: reached }
    sandbox.configure({ sources: [source], sinks: sandbox.sinks('one') })
  }
  configure('ca.pem')
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  expect((await sandbox.ok(['verify', '--drill', '--phrase-file', 'phrase'])).toString()).toContain(
    '1 dump loaded',
  )
  configure('stranger.pem')
  const refused = await sandbox.run(['run'])
  expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/certificate/i)])
  configure('ca.pem', { verfy: true })
  expect((await sandbox.run(['run'])).code).toBe(2)
})

test('a secret with a line end fails its own source, and is named; the wallet is backed up', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('wallet'))
  writeFileSync(sandbox.path('wallet/file'), 'x')
  writeFileSync(sandbox.path('ends'), 'pw\n\n')
  writeFileSync(sandbox.path('marked'), '\u{FEFF}pw-marked\n')
  writeFileSync(sandbox.path('blank'), 'pw-blank \n')
  const database = (name: string) => ({
    type: 'mysql',
    name,
    databases: ['shop'],
    user: 'root',
    socket: server.socket,
    password: { file: name },
  })
  sandbox.configure({
    sources: [
      { type: 'files', name: 'wallet', paths: ['wallet'] },
      ...['ends', 'marked', 'blank'].map(database),
    ],
    sinks: sandbox.sinks('one'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const { code, err } = await sandbox.run(['run'])
  expect([code, err]).toEqual([
    3,
    expect.stringContaining('source "ends" failed: the secret from ends holds a line end'),
  ])
  expect(err).not.toMatch(/bug|TypeError|loose-/)
  expect((await sandbox.ok(['ls', 'latest', '--phrase-file', 'phrase'])).toString()).toContain('wallet')
  const doctor = (await sandbox.run(['doctor'])).out.toString()
  expect(doctor).toContain('the secret from marked begins with a byte order mark')
  expect(doctor).toContain('the secret from blank begins or ends with a blank')
})

test('a database that fails is a problem of its own: exit 3, and the others are in the snapshot', async () => {
  using sandbox = new Sandbox()
  server.query(
    'CREATE DATABASE torn; CREATE TABLE torn.gone (id INT); CREATE VIEW torn.v AS SELECT id FROM torn.gone; DROP TABLE torn.gone',
  )
  const source = { type: 'mysql', name: 'database', databases: 'all', user: 'root', socket: server.socket }
  sandbox.configure({ sources: [source], sinks: sandbox.sinks('one') })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const { code, err } = await sandbox.run(['run'])
  expect([code, err]).toEqual([
    3,
    expect.stringMatching(
      /^pipe-backup: database\/torn\.sql: mariadb-dump of database torn exited with 2: mariadb-dump: /m,
    ),
  ])
  const listed = (await sandbox.ok(['ls', 'latest', 'database', '--phrase-file', 'phrase'])).toString()
  expect(listed).toContain('shop.sql')
  expect(listed).not.toContain('torn')
  server.query('DROP DATABASE shop')
  expect((await sandbox.run(['run'])).code).toBe(1)
})
