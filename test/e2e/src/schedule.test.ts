import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeStateFile } from '@pipe-backup/vault'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

async function prepared(sandbox: Sandbox, more: object = {}): Promise<void> {
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
    schedule: '17 * * * *',
    keep: { hourly: 24 },
    ...more,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}
const snapshots = (sandbox: Sandbox) =>
  readdirSync(sandbox.path('sinks/one'), { recursive: true }).filter((name) =>
    String(name).startsWith('snapshots/'),
  )

test("a crontab line is put in, shown, replaced and removed, and nobody else's is touched", async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { before: ['sh', '-c', `echo "$PATH" > '${sandbox.path('found')}'`] })
  writeFileSync(
    sandbox.path('script'),
    `set -e
mount -t tmpfs tmpfs /var/spool/cron/crontabs
echo '5 5 * * * somebody elses' | crontab -
pb="$1 $2 --config pipe-backup.json"
$pb schedule show --cron
$pb schedule install --cron
$pb schedule install --cron
echo "== installed"; crontab -l
$pb schedule show --cron
$pb schedule remove --cron
echo "== removed"; crontab -l
`,
  )
  // A crontab of its own: the real one is not to be touched.
  const { stdout } = await execa('unshare', ['--mount', 'sh', 'script', process.execPath, MAIN], {
    cwd: sandbox.root,
    env: sandbox.environment(),
  })
  const [before = '', installed = '', removed = ''] = stdout.split(/== \w+\n/)
  expect(before).toContain('Not installed yet')
  const lines = installed.split('\n')
  expect(lines[0]).toBe('5 5 * * * somebody elses')
  expect(lines[1]).toMatch(
    /^17 \* \* \* \* env PATH=\S+ .*pipe-backup\.js --config .*pipe-backup\.json scheduled --quiet # pipe-backup sandbox$/,
  )
  // As cron runs it: it knows of no variable that was set where it was installed.
  const command = lines[1]?.slice('17 * * * * '.length).replaceAll(String.raw`\%`, '%') ?? ''
  const ran = await execa('/bin/sh', ['-c', command], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
    extendEnv: false,
  })
  expect([ran.stdout, snapshots(sandbox).length]).toEqual(['', 1])
  expect(readFileSync(sandbox.path('found'), 'utf8')).toContain(process.env['PATH'])
  expect(installed).not.toContain('otherwise')
  expect(removed.trim()).toBe('5 5 * * * somebody elses')
})

test('one scheduler takes over from the other, and remove finds it wherever it is', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  mkdirSync(sandbox.path('bin'))
  // No systemd runs where tests do: what it is reported is written down.
  const reported = `#!/bin/sh\necho "$@" >> '${sandbox.path('told')}'\n`
  writeFileSync(sandbox.path('bin/systemctl'), reported, { mode: 0o755 })
  writeFileSync(
    sandbox.path('script'),
    `set -e
mount -t tmpfs tmpfs /var/spool/cron/crontabs
mount -t tmpfs tmpfs /etc/systemd/system
pb="$1 $2 --config pipe-backup.json"
there() { echo "== $1: $(crontab -l 2>/dev/null | grep -c sandbox) $(ls /etc/systemd/system | wc -l)"; }
$pb schedule install --cron; there cron
$pb schedule install --systemd; there systemd
$pb schedule install --cron; there again
$pb schedule remove --systemd; there kept
$pb schedule remove; there none
$pb schedule install --systemd; $pb schedule remove; there gone
`,
  )
  const { stdout } = await execa('unshare', ['--mount', 'sh', 'script', process.execPath, MAIN], {
    cwd: sandbox.root,
    env: { ...sandbox.environment(), PATH: `${sandbox.path('bin')}:${process.env['PATH']}` },
  })
  expect(stdout.match(/(?<=== ).*/g)).toEqual([
    'cron: 1 0',
    'systemd: 0 2',
    'again: 1 0',
    'kept: 1 0',
    'none: 0 0',
    'gone: 0 0',
  ])
  expect(stdout.match(/^removed from.*/gm)).toEqual([
    'removed from the crontab: it would run twice',
    'removed from systemd: it would run twice',
  ])
  expect(readFileSync(sandbox.path('told'), 'utf8')).toContain('disable --now pipe-backup-sandbox.timer')
})

test('the units are what systemd takes, and their command works from nowhere', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  const shown = String(await sandbox.ok(['schedule', 'show', '--systemd']))
  const [service = '', rest = ''] = shown.split(/\n(?=\[Unit\]\nDescription=Timer)/)
  const timer = rest.split('\nNot installed')[0] ?? ''
  writeFileSync(sandbox.path('pipe-backup-sandbox.service'), service)
  writeFileSync(sandbox.path('pipe-backup-sandbox.timer'), timer)
  const units = ['pipe-backup-sandbox.service', 'pipe-backup-sandbox.timer'].map((name) => sandbox.path(name))
  const verified = await execa('systemd-analyze', ['verify', '--man=no', ...units], {
    reject: false,
    all: true,
  })
  expect(verified.all?.split('\n').filter((line) => line.includes('pipe-backup'))).toEqual([])
  expect(timer).toContain('OnCalendar=*-*-* *:17:00\nPersistent=true')

  const command = /^ExecStart=(.*)$/m.exec(service)?.[1]?.split(' ') ?? []
  // A service of the system has not even a HOME.
  const environment = [...service.matchAll(/^Environment="?([^=]+)=(.*?)"?$/gm)].map(([, ...pair]) => pair)
  const env = Object.fromEntries(environment) as Record<string, string>
  await execa(command[0] ?? '', command.slice(1), { cwd: '/', env, extendEnv: false })
  expect(snapshots(sandbox)).toHaveLength(1)
})

test('a scheduled run prunes and verifies when that is due', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { keep: { last: 1 }, grace: '0s' })
  await sandbox.ok(['run'])
  const first = String(await sandbox.ok(['scheduled']))
  expect(first).toContain('1 snapshot went, 1 stay')
  expect(first).toContain('proven')
  const second = String(await sandbox.ok(['scheduled']))
  expect(second).not.toContain('went')
  expect(snapshots(sandbox)).toHaveLength(2)
})

test('a clock that was set back holds up neither prune nor verify', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  const state = sandbox.path('home/state/pipe-backup/sandbox')
  const future = '2099-01-01T00:00:00.000Z'
  mkdirSync(state, { recursive: true })
  await writeStateFile(`${state}/schedule.json`, { run: future, prune: future, verify: future })
  await sandbox.ok(['scheduled'])
  expect(readFileSync(`${state}/schedule.json`, 'utf8')).not.toContain('2099')
})

test('the daemon makes up for what was missed, is alone, and ends at SIGTERM', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  const state = sandbox.path('home/state/pipe-backup/sandbox')
  await writeStateFile(`${state}/schedule.json`, { run: '2026-01-01T00:00:00.000Z' })
  const stop = new AbortController()
  const running = sandbox.run(['daemon'], { cancelSignal: stop.signal, killSignal: 'SIGTERM' })
  await expect.poll(() => snapshots(sandbox).length).toBe(1)
  const other = await sandbox.run(['daemon'])
  expect(other.code).toBe(1)
  expect(other.err).toContain('another daemon of this vault')
  const asked = performance.now()
  stop.abort()
  expect((await running).code).toBe(0)
  expect(performance.now() - asked).toBeLessThan(10_000)
})

test('the daemon runs no more often than the schedule says when it can not write down that it did', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { verify: false, keep: undefined })
  const state = sandbox.path('home/state/pipe-backup/sandbox')
  await writeStateFile(`${state}/schedule.json`, { run: '2026-01-01T00:00:00.000Z' })
  mkdirSync(`${state}/schedule.json.new`, { recursive: true })
  const stop = new AbortController()
  const running = sandbox.run(['daemon'], { cancelSignal: stop.signal, killSignal: 'SIGTERM' })
  await expect.poll(() => snapshots(sandbox).length).toBe(1)
  await sleep(5000)
  stop.abort()
  await running
  expect(snapshots(sandbox)).toHaveLength(1)
})

test('a schedule that can not be is reported when the configuration is read', async () => {
  using sandbox = new Sandbox()
  sandbox.configure({ sinks: sandbox.sinks('one'), schedule: '99 * * * *' })
  const ran = await sandbox.run(['config', 'check'])
  expect(ran.code).toBe(2)
  expect(ran.err).toContain('schedule: "99" is no minute')
})
