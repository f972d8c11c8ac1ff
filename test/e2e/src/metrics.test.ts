import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

const DOCS = resolve(import.meta.dirname, '../../../docs/monitoring')

async function prepared(sandbox: Sandbox, metrics: object): Promise<void> {
  mkdirSync(sandbox.path('tree'))
  mkdirSync(sandbox.path('collector'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
    copies: 1,
    schedule: '0 0 1 1 *',
    keep: { hourly: 24 },
    metrics,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}

/** Samples by name and labels, without the vault: `name{sink="one"}`. */
function parse(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, name = '', labels = '', value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? []
      const others = labels.split(',').filter((label) => label !== 'vault="sandbox"')
      expect(labels).toContain('vault="sandbox"')
      return [`${name.replace('pipe_backup_', '')}{${others.join(',')}}`, Number(value)]
    }),
  )
}

const read = async (sandbox: Sandbox) => parse(await readFile(sandbox.path('collector/pb.prom'), 'utf8'))

test('each command writes what it did and how the vault stands, as promtool wants it', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { file: 'collector/pb.prom' })
  const before = Date.now() / 1000
  await sandbox.ok(['run'])
  const first = await read(sandbox)
  for (const name of ['start', 'end', 'success'])
    expect(first.get(`command_last_${name}_timestamp_seconds{command="run"}`)).toBeGreaterThan(before - 1)
  expect(Object.fromEntries(first)).toMatchObject({
    'command_exit_code{command="run"}': 0,
    'run_copies{}': 2,
    'required_copies{}': 1,
    'snapshots{}': 1,
    'worries{}': 0,
    'source_state{source="tree",state="ok"}': 1,
    'source_state{source="tree",state="failed"}': 0,
    'source_entries{source="tree"}': 2,
    'source_bytes{source="tree"}': 7,
    'source_read_bytes{source="tree"}': 7,
    'sink_state{sink="two",state="ok"}': 1,
    'sink_snapshots{sink="two"}': 1,
    'sink_lag_seconds{sink="two"}': 0,
    'sink_behind_snapshots{sink="two"}': 0,
  })
  const { sinks } = JSON.parse((await sandbox.ok(['status', '--json'])).toString())
  expect(sinks[0].objects).toBeGreaterThan(0)
  expect(first.get('sink_objects{sink="one"}')).toBe(sinks[0].objects)
  expect(first.get('sink_stored_bytes{sink="one"}')).toBe(sinks[0].bytes)
  const lastGood = first.get('last_good_snapshot_timestamp_seconds{}')
  expect(lastGood).toBeGreaterThan(before - 1)

  renameSync(sandbox.path('sinks/two'), sandbox.path('away'))
  writeFileSync(sandbox.path('tree/file'), 'other content')
  expect((await sandbox.run(['run'])).code).toBe(3)
  const second = await read(sandbox)
  expect(Object.fromEntries(second)).toMatchObject({
    'command_exit_code{command="run"}': 3,
    'run_copies{}': 1,
    'sink_state{sink="two",state="failed"}': 1,
    'sink_state{sink="two",state="ok"}': 0,
  })
  expect(second.has('sink_stored_bytes{sink="two"}')).toBe(false)

  renameSync(sandbox.path('away'), sandbox.path('sinks/two'))
  await sandbox.ok(['heal'])
  const [pack = ''] = objectsOf(sandbox, 'one').filter((name) => name.startsWith('packs/'))
  rmSync(sandbox.path('sinks/one', pack))
  expect((await sandbox.run(['verify'])).code).toBe(1)
  await sandbox.ok(['prune'])
  await sandbox.ok(['verify', '--drill', '--phrase-file', 'phrase'])
  const last = await read(sandbox)
  expect(Object.fromEntries(last)).toMatchObject({
    'command_exit_code{command="heal"}': 0,
    'command_exit_code{command="verify"}': 1,
    'command_exit_code{command="prune"}': 0,
    'command_exit_code{command="run"}': 3,
    'verify_problems{sink="one"}': 1,
    'verify_problems{sink="two"}': 0,
    'verify_lost_objects{}': 0,
    'sink_state{sink="one",state="damaged"}': 1,
    'sink_damaged_objects{sink="one"}': 1,
    'sink_state{sink="two",state="ok"}': 1,
  })
  expect(last.has('command_last_success_timestamp_seconds{command="verify"}')).toBe(false)
  expect(last.get('drill_last_success_timestamp_seconds{}')).toBeGreaterThan(before - 1)

  const text = await readFile(sandbox.path('collector/pb.prom'))
  const checked = await execa('promtool', ['check', 'metrics'], { input: text, all: true, reject: false })
  expect([checked.exitCode, checked.all]).toEqual([0, ''])
})

function objectsOf(sandbox: Sandbox, sink: string): string[] {
  return readdirSync(sandbox.path('sinks', sink), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(sandbox.path('sinks', sink).length + 1))
}

test('a run that fails keeps the time of the last success; everybody may read the file, and nothing is beside it', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { file: 'collector/pb.prom' })
  await execa('sh', ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, MAIN, 'run'], {
    cwd: sandbox.root,
    env: sandbox.environment(),
  })
  const { mode } = statSync(sandbox.path('collector/pb.prom'))
  expect((mode & 0o777).toString(8)).toBe('644')
  await sandbox.ok(['run'])
  expect((await read(sandbox)).get('snapshots{}')).toBe(2)
  await sandbox.ok(['forget', 'latest~1'])
  const success = 'command_last_success_timestamp_seconds{command="run"}'
  const good = await read(sandbox)
  expect(Object.fromEntries(good)).toMatchObject({
    'command_exit_code{command="forget"}': 0,
    'snapshots{}': 1,
    'sink_snapshots{sink="one"}': 1,
  })
  renameSync(sandbox.path('sinks'), sandbox.path('gone'))
  expect((await sandbox.run(['run'])).code).toBe(1)
  const bad = await read(sandbox)
  expect(bad.get('command_exit_code{command="run"}')).toBe(1)
  expect(bad.get(success)).toBe(good.get(success))
  expect(bad.get('command_last_end_timestamp_seconds{command="run"}')).toBeGreaterThan(
    good.get(success) ?? NaN,
  )
  expect(readdirSync(sandbox.path('collector'))).toEqual(['pb.prom'])
})

test('metrics that can not be written are a warning, and the backup is made', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { file: 'collector/pb.prom' })
  rmSync(sandbox.path('collector'), { recursive: true })
  const { code, err } = await sandbox.run(['run'])
  expect(err).toContain(`warning: the metrics could not be written to ${sandbox.path('collector/pb.prom')}: `)
  expect([code, err.includes('this is a bug')]).toEqual([0, false])
})

test('the daemon serves them on loopback', async () => {
  using sandbox = new Sandbox()
  const port = await freePort()
  await prepared(sandbox, { port })
  await sandbox.ok(['run'])
  const daemon = execa(process.execPath, [MAIN, 'daemon', '--verbose'], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    reject: false,
  })
  const address = `http://127.0.0.1:${port}`
  let answer: Response | undefined
  while (answer === undefined) answer = await fetch(`${address}/metrics`).catch(async () => sleep(50))
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const text = await answer.text()
  expect(parse(text).get('command_exit_code{command="run"}')).toBe(0)
  await execa('promtool', ['check', 'metrics'], { input: text })
  expect((await fetch(`${address}/`)).status).toBe(404)
  expect((await fetch(`${address}/metrics`, { method: 'POST' })).status).toBe(404)
  const second = await sandbox.run(['daemon'], { env: { PIPE_BACKUP_STATE: sandbox.path('other') } })
  expect([second.code, second.err]).toEqual([1, expect.stringContaining(`port ${port} can't be used`)])
  daemon.kill('SIGTERM')
  expect((await daemon).exitCode).toBe(0)
})

test('metrics that lead nowhere are refused', async () => {
  using sandbox = new Sandbox()
  for (const [metrics, message] of [
    [{ file: '/tmp/metrics.txt' }, 'must end in .prom'],
    [{}, 'neither where to write (file) nor where to serve (port)'],
  ] as const) {
    sandbox.configure({ sinks: sandbox.sinks('one'), metrics })
    const { code, err } = await sandbox.run(['config', 'check'])
    expect([code, err]).toEqual([2, expect.stringContaining(message)])
  }
})

test('the alert rules are valid and do what they say', async () => {
  const checked = await execa('promtool', ['check', 'rules', join(DOCS, 'alerts.yml')])
  expect(checked.stdout).toMatch(/SUCCESS: \d+ rules found/)
  const tested = await execa('promtool', ['test', 'rules', join(DOCS, 'alerts.test.yml')])
  expect(tested.stdout).toContain('SUCCESS')
})
