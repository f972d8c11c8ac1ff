import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type MariadbServer, startMariadb, startSmtp, startSshd } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

const PASSWORD = 'a "quoted" # one'
let mariadb: MariadbServer
beforeAll(async () => {
  mariadb = await startMariadb()
  mariadb.query(`CREATE DATABASE shop; CREATE USER backup@localhost IDENTIFIED BY '${PASSWORD}';
    GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON shop.* TO backup@localhost; GRANT SELECT ON mysql.proc TO backup@localhost; CREATE USER poor@localhost;
    GRANT SELECT, SHOW VIEW, EVENT ON shop.* TO poor@localhost`)
  mariadb.query('CREATE TABLE orders (id INT PRIMARY KEY); INSERT INTO orders VALUES (1)', 'shop')
})
afterAll(() => mariadb[Symbol.asyncDispose]())

interface Check {
  readonly subject: string
  readonly state: 'ok' | 'warning' | 'failure'
  readonly message: string
  readonly hint?: string
}

async function doctor(sandbox: Sandbox, ...more: string[]): Promise<{ code: number; checks: Check[] }> {
  const { code, out, err } = await sandbox.run(['doctor', '--json', ...more])
  const lines = out.toString().trim().split('\n')
  expect([lines.length, err]).toEqual([1, ''])
  const { checks, exitCode } = JSON.parse(lines[0] ?? '')
  expect(exitCode).toBe(code)
  return { code: exitCode, checks }
}

const of = (checks: readonly Check[], subject: string, state?: Check['state']) =>
  checks
    .filter((check) => check.subject === subject && (state === undefined || check.state === state))
    .map(({ state: found, message, hint }) => [found, message, hint ?? ''].join(' '))
    .join('\n')

test('everything that is well is said to be so, and nothing is left behind', async () => {
  using sandbox = new Sandbox()
  await using ssh = await startSshd({ chroot: true })
  await using smtp = await startSmtp()
  const posted: string[] = []
  const hooks = createServer((request, response) => {
    void text(request).then((body) => {
      posted.push(`${request.url} ${body}`)
      response.writeHead(request.url === '/ping/log' ? 404 : 200).end()
    })
  })
  await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(hooks.address() as AddressInfo).port}`
  const { host, port, user, identity, hostKey } = ssh
  mkdirSync(sandbox.path('tree'))
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: ['tree'], before: ['true'] },
      { type: 'command', name: 'crontab', run: ['sh', '-c', 'exit 1'], path: 'crontab.txt' },
      {
        type: 'mysql',
        name: 'database',
        databases: ['shop'],
        user: 'backup',
        password: PASSWORD,
        socket: mariadb.socket,
        drill: { user: 'root', socket: mariadb.socket },
      },
    ],
    sinks: [
      ...sandbox.sinks('disk'),
      { type: 'sftp', name: 'ssh', host, port, user, identity, hostKey, path: `${ssh.makePlace().remote}/b` },
    ],
    keep: { hourly: 24 },
    notify: [
      { type: 'webhook', url: `${base}/hook`, on: ['failure'] },
      { type: 'ping', url: `${base}/ping` },
      { type: 'command', run: ['sh', '-c', `cat > '${sandbox.path('told')}'`] },
      {
        type: 'email',
        smtp: `smtp://${smtp.user}:${encodeURIComponent(smtp.password)}@${smtp.host}:${smtp.port}`,
        from: 'backup@example.com',
        to: ['admin@example.com'],
      },
    ],
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const { code, checks } = await doctor(sandbox)
  hooks.close()
  const bad = checks.filter(({ state }) => state !== 'ok').map(({ subject }) => subject)
  expect(code).toBe(3)
  expect(new Set(bad)).toEqual(new Set(['places', 'schedule', 'drill']))
  expect(of(checks, 'places')).toContain('fewer than 3')
  for (const sink of ['sink disk', 'sink ssh']) {
    expect(of(checks, sink)).toMatch(/written, read back, listed and deleted in/)
    expect(of(checks, sink)).toMatch(/ free/)
  }
  expect(of(checks, 'source database')).toContain('1 database can be dumped')
  expect(of(checks, 'source database')).toContain('the scratch server for drills takes a database')
  expect(mariadb.query('SHOW DATABASES')).not.toContain('drill')
  expect(
    readdirSync(sandbox.path('sinks/disk'), { recursive: true }).filter((name) => /probe/.test(String(name))),
  ).toEqual(readdirSync(sandbox.path('sinks/disk')).includes('probes') ? ['probes'] : [])
  expect(posted.toSorted().map((line) => line.split(' ')[0])).toEqual(['/hook', '/ping/log'])
  expect(posted.join()).toContain('Nothing is wrong')
  expect(smtp.mails).toHaveLength(1)

  await sandbox.ok(['run', '--source', 'tree'])
  await sandbox.ok(['verify', '--drill', '--phrase-file', 'phrase'])
  const again = await doctor(sandbox, '--no-notify')
  expect(of(again.checks, 'drill', 'ok')).toContain('was restored as a drill')
  expect(smtp.mails).toHaveLength(1)
})

test('each thing that would fail at night fails now, in one line with the repair', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  const sources = [{ type: 'files', name: 'tree', paths: ['tree'] }]
  sandbox.configure({ sources, sinks: sandbox.sinks('disk', 'other') })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  chmodSync(sandbox.path('home/config/pipe-backup/sandbox.key'), 0o644)
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: ['nowhere'], before: ['no-such-program'] },
      { type: 'command', name: 'list', run: ['./no-such-script'], path: 'list.txt' },
      {
        type: 'mysql',
        name: 'wrong',
        databases: ['shop'],
        user: 'backup',
        password: 'no',
        socket: mariadb.socket,
      },
      { type: 'mysql', name: 'poor', databases: ['shop'], user: 'poor', socket: mariadb.socket },
      { type: 'mysql', name: 'gone', databases: ['gone'], user: 'root', socket: mariadb.socket },
    ],
    sinks: [
      ...sandbox.sinks('disk', 'empty'),
      {
        type: 'sftp',
        name: 'ssh',
        host: '127.0.0.1',
        port: 9,
        user: 'u',
        password: { file: sandbox.path('no-password') },
        path: 'p',
      },
    ],
    notify: [{ type: 'webhook', url: 'http://127.0.0.1:9/very-secret' }],
  })
  mkdirSync(sandbox.path('sinks/empty'))
  const { code, checks } = await doctor(sandbox)
  expect(code).toBe(1)
  expect(of(checks, 'host key', 'failure')).toMatch(/can be read or written by others chmod 600 /)
  expect(of(checks, 'places', 'warning')).toContain('disk and empty are one place')
  expect(of(checks, 'source tree', 'failure')).toContain('nowhere is not there')
  expect(of(checks, 'before of tree', 'failure')).toContain('no-such-program is not on the PATH')
  expect(of(checks, 'source list', 'failure')).toContain('no-such-script is not there')
  expect(of(checks, 'source wrong', 'failure')).toContain('Access denied')
  expect(of(checks, 'source gone', 'failure')).toContain('gone')
  expect(of(checks, 'source poor', 'warning')).toMatch(
    /may not see all triggers, routines of shop.*GRANT TRIGGER ON `shop`\.\* TO 'poor'@'localhost'; GRANT SELECT ON mysql\.proc TO 'poor'@'localhost'/,
  )
  expect(of(checks, 'sink ssh', 'failure')).toContain("a secret's file can't be read")
  expect(of(checks, 'notify webhook 127.0.0.1:9', 'failure')).toContain("can't be reached")
  expect(of(checks, 'keep', 'warning')).toContain('kept for ever')
  expect(JSON.stringify(checks)).not.toContain('very-secret')

  chmodSync(sandbox.path('home/config/pipe-backup/sandbox.key'), 0o600)
  const repaired = await doctor(sandbox)
  expect(of(repaired.checks, 'sink empty', 'failure')).toContain('holds no vault')
  expect(of(repaired.checks, 'sink disk', 'ok')).toContain('written, read back, listed and deleted')
})

test('a disk that is full, and one that can not be written to', async () => {
  using sandbox = new Sandbox()
  sandbox.configure({
    sources: [{ type: 'command', name: 'x', run: ['true'], path: 'x' }],
    sinks: [...sandbox.sinks('small', 'frozen')],
  })
  writeFileSync(
    sandbox.path('script'),
    `set -e
mkdir -p sinks/small sinks/frozen
mount -t tmpfs -o size=8m tmpfs sinks/small
mount -t tmpfs tmpfs sinks/frozen
"$1" "$2" init --phrase-out phrase >&2
mount -o remount,ro sinks/frozen
"$1" "$2" doctor --json || echo "exit $?"
`,
  )
  const { stdout } = await execa('unshare', ['--mount', 'sh', 'script', process.execPath, MAIN], {
    cwd: sandbox.root,
    env: sandbox.environment(),
  })
  const [json = '', exit] = stdout.split('\n')
  const { checks } = JSON.parse(json)
  expect(exit).toBe('exit 1')
  expect(of(checks, 'sink small', 'failure')).toMatch(/MiB free: it is full/)
  expect(of(checks, 'sink frozen', 'failure')).toContain('read-only')
})
