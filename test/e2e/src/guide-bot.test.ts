import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, resolve } from 'node:path'
import { type MariadbServer, startDropbox, startMariadb, startSshd } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

const GUIDE = readFileSync(resolve(import.meta.dirname, '../../../docs/guide-bot.md'), 'utf8')
const BLOCKS = [...GUIDE.matchAll(/```sh\n([^]*?)```/g)].map(([, code = '']) => code)
const CONFIG = /```json\n([^]*?)```/.exec(GUIDE)?.[1] ?? ''

/** The two machines of the guide: their directories are below the sandbox, and the second has a database server of its own. */
class Machine extends Sandbox {
  server: MariadbServer | undefined
  /** Allows the app, on the page that a login shows. */
  allow: (page: string) => string = () => ''

  /** What the guide says, with directories that a test can have. */
  here(text: string): string {
    return text.replaceAll(/\/(opt\/bot|media\/usb|home\/bot)/g, (_, path: string) => this.path(path))
  }

  /** Runs a block of the guide as a person would, each in a crontab of its own. @throws with all that was printed */
  async block(code: string): Promise<string> {
    const mysql = `mariadb --no-defaults --user=root --socket='${this.server?.socket}'`
    writeFileSync(
      this.path('block.sh'),
      `set -eu -o pipefail
mount -t tmpfs tmpfs /var/spool/cron/crontabs
pipe-backup() { '${process.execPath}' '${MAIN}' "$@"; }
mysql() { ${mysql} "$@"; }
${code}`,
    )
    const child = execa('unshare', ['--mount', 'bash', this.path('block.sh')], {
      cwd: this.root,
      env: { HOME: this.path('home/bot'), XDG_CONFIG_HOME: '', XDG_STATE_HOME: '', NO_COLOR: '1' },
      all: true,
    })
    let shown = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      shown += text
      const page = /^ {2}(https:\S+)\n[^]*: $/m.exec(shown)?.[1]
      if (page !== undefined) child.stdin.end(`${this.allow(page)}\n`)
    })
    return (await child).all
  }

  /** A machine as it comes: the bot's home with the key for the SSH server, and no more. */
  fresh(server: MariadbServer, identity: string): void {
    this.server = server
    for (const path of ['home', 'opt']) rmSync(this.path(path), { recursive: true, force: true })
    mkdirSync(this.path('home/bot/.ssh'), { recursive: true, mode: 0o700 })
    copyFileSync(identity, this.path('home/bot/.ssh/id_ed25519'))
    chmodSync(this.path('home/bot/.ssh/id_ed25519'), 0o600)
    mkdirSync(this.path('opt'))
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true })
    writeFileSync(this.path(path), content, { mode: 0o600 })
  }
}

test('the configuration of the guide is accepted as it stands, with four sources and four sinks', async () => {
  using machine = new Machine()
  machine.write('config.json', CONFIG)
  for (const name of ['mysql', 'drill', 's3', 'dropbox']) machine.write(`secrets/${name}`, 'x\n')
  const checked = await machine.ok(['--config', 'config.json', 'config', 'check', '--json'])
  expect(JSON.parse(checked.toString())).toBeDefined()
  const { backup } = JSON.parse(CONFIG)
  expect([backup.sources.length, backup.sinks.length + 1]).toEqual([4, 4])
})

test('the guide leads from nothing to a verified backup, and back from a server that is gone', async () => {
  using machine = new Machine()
  await using dropbox = await startDropbox()
  await using ssh = await startSshd()
  const [old, rebuilt] = await Promise.all([startMariadb(), startMariadb()])
  await using _old = old
  await using _rebuilt = rebuilt
  const requests: string[] = []
  const hooks = createServer((request, response) => {
    requests.push(request.url ?? '')
    request.resume().once('end', () => response.end())
  })
  await new Promise<void>((listening) => hooks.listen(0, '127.0.0.1', listening))
  await using _hooks = hooks
  const base = `http://127.0.0.1:${(hooks.address() as AddressInfo).port}`

  // Only addresses are others than in the guide, and two sinks are directories.
  const box = { appKey: dropbox.appKey, apiUrl: dropbox.apiUrl(), contentUrl: dropbox.contentUrl() }
  const application = JSON.parse(machine.here(CONFIG))
  const { backup } = application
  for (const option of ['server', 'user', 'pass']) delete backup[`nextcloud_${option}`]
  const addresses: Record<string, object> = {
    box,
    rs: {
      target: `${ssh.user}@${ssh.host}:${ssh.makePlace().remote}/tipbot`,
      port: ssh.port,
      hostKey: ssh.hostKey,
    },
  }
  const placeOf = (name: string) => ({ type: 'local', name, path: machine.path('sinks', name) })
  backup.sinks = backup.sinks.map((sink: { name: string }) =>
    sink.name === 'aws' ? placeOf('aws') : { ...sink, ...addresses[sink.name] },
  )
  backup.sinks.push(placeOf('nextcloud'))
  const [, , database] = backup.sources
  const setSocket = ({ socket }: MariadbServer) => {
    database.socket = socket
    database.drill.socket = socket
    machine.write('opt/bot/_config/config.json', JSON.stringify(application, null, 2))
  }
  for (const notice of backup.notify) notice.url = `${base}/${notice.type}`
  const rescue = `"appKey": ${JSON.stringify(box).slice(10, -1)}`
  const blocks = BLOCKS.map((code) => machine.here(code).replaceAll(/"appKey": "[^"]*"/g, () => rescue))
  const [secrets, connect, first, byItself, nowAndThen, disaster, join] = blocks
  expect(blocks).toHaveLength(7)
  machine.allow = (page) => dropbox.tokens.authorize(page)

  // The server as it was.
  machine.fresh(old, ssh.identity)
  mkdirSync(machine.path('media/usb'), { recursive: true })
  machine.write('home/bot/.qrl/wallet.json', '{"seed":"of great worth"}')
  machine.write('home/bot/.qrl/data/state/000001.ldb', 'block '.repeat(10_000))
  old.query('CREATE DATABASE tipbot')
  old.query('CREATE TABLE funds AS SELECT seq AS id, seq * 7 AS amount FROM seq_1_to_1000', 'tipbot')
  setSocket(old)
  await machine.block(secrets ?? '')
  await machine.block(connect ?? '')
  expect(await machine.block(first ?? '')).toMatch(/drill passed: .* 1 dump loaded/)
  // Of two directories on one disk it warns, rightly: that is no fault of the guide.
  const scheduled = await machine.block((byItself ?? '').replace(/^pipe-backup doctor$/m, '$& || [ $? = 3 ]'))
  expect(scheduled).toMatch(/^0 \* \* \* \* .*config\.json scheduled --quiet/m)
  expect(scheduled).toMatch(/^0 failures/m)
  expect(scheduled.match(/^WARNING +(?![ p]).*/gm)).toBe(null)
  expect(requests.some((url) => url.startsWith('/ping'))).toBe(true)
  expect(requests).toContain('/webhook')
  await machine.block(nowAndThen ?? '')
  expect(readFileSync(machine.path('wallet.json'), 'utf8')).toContain('of great worth')

  // Another machine: nothing of the old one is there but the phrase.
  machine.fresh(rebuilt, ssh.identity)
  await machine.block(disaster ?? '')
  expect(readFileSync(machine.path('home/bot/.qrl/wallet.json'), 'utf8')).toContain('of great worth')
  expect(readFileSync(machine.path('home/bot/.qrl/data/state/000001.ldb'), 'utf8')).toHaveLength(60_000)
  const sum = 'SELECT COUNT(*), SUM(amount) FROM funds'
  expect(rebuilt.query(sum, 'tipbot')).toBe(old.query(sum, 'tipbot'))
  setSocket(rebuilt)
  await machine.block(join ?? '')
  const listed = await machine.ok(['--config', 'opt/bot/_config/config.json', 'snapshots', '--json'], {
    env: { HOME: machine.path('home/bot'), XDG_CONFIG_HOME: '', XDG_STATE_HOME: '' },
  })
  expect(listed.toString().trim().split('\n')).toHaveLength(2)
})
