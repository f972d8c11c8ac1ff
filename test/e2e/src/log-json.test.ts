import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writeStateFile } from '@pipe-backup/vault'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

interface LogLine {
  readonly time: string
  readonly level: string
  readonly command: string
  readonly event: string
  readonly message: string
  readonly [more: string]: unknown
}

/** All that a command has written, of which each line must be a record. */
function recordsOf({ out, err }: { readonly out: Buffer; readonly err: string }): LogLine[] {
  expect(out.toString()).toBe('')
  const lines = err.split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => {
    const record = JSON.parse(line) as LogLine
    expect(record).toMatchObject({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: expect.stringMatching(/^(error|warning|info|debug)$/),
      event: expect.any(String),
      message: expect.any(String),
    })
    return record
  })
}

/** In whose hook's output, password and address a secret is. */
const SECRET = 'horse"battery'

async function prepared(sandbox: Sandbox, more: object = {}): Promise<void> {
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  writeFileSync(sandbox.path('secret'), SECRET, { mode: 0o600 })
  sandbox.configure({
    host: 'shop-1',
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
    copies: 1,
    schedule: '17 * * * *',
    keep: { hourly: 24 },
    ...more,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}

test('what a timer runs writes a log of JSON lines, all of them about its vault and host', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  const records = recordsOf(await sandbox.run(['scheduled', '--log-json']))
  expect(records.filter(({ vault, host }) => vault !== 'sandbox' || host !== 'shop-1')).toEqual([])
  const seen = records.map(({ command, event }) => `${command} ${event}`)
  const commands = ['run', 'prune', 'verify'].flatMap((name) =>
    ['start', 'report', 'end'].map((event) => `${name} ${event}`),
  )
  expect(seen).toEqual(['scheduled start', ...commands, 'scheduled end'])
  expect(records.find(({ event }) => event === 'report')).toMatchObject({
    level: 'info',
    command: 'run',
    message: expect.stringMatching(/^snapshot \w+ on 2 of 2 sinks/),
    report: { copies: 2, exitCode: 0, sinks: [{ name: 'one' }, { name: 'two' }] },
  })
  expect(records.at(-1)).toMatchObject({ level: 'info', exitCode: 0, seconds: expect.any(Number) })
})

test('what fails has its sink, source, path and hint in fields of their own; a secret is in none', async () => {
  using sandbox = new Sandbox()
  const dead = {
    type: 'webdav',
    name: 'dead',
    url: 'http://127.0.0.1:1/',
    user: 'shop',
    password: { file: 'secret' },
    retries: 0,
  }
  const hook = { type: 'command', name: 'dump', run: ['sh', '-c', 'cat secret >&2; exit 7'], path: 'dump' }
  await prepared(sandbox)
  const config = JSON.parse(readFileSync(sandbox.path('pipe-backup.json'), 'utf8'))
  sandbox.configure({
    ...config,
    sources: [...config.sources, hook],
    sinks: [...config.sinks, dead],
    before: ['sh', '-c', 'cat secret; echo; echo second line'],
  })
  mkdirSync(sandbox.path('tree/odd\nname'), { mode: 0o700 })
  const ran = await sandbox.run(['run', '--log-json', '--verbose'])
  expect(ran.code).toBe(3)
  const records = recordsOf(ran)
  expect(ran.err).not.toContain('battery')
  expect(records).toContainEqual(
    expect.objectContaining({ level: 'error', event: 'sink', sink: 'dead', code: 'unreachable' }),
  )
  expect(records).toContainEqual(expect.objectContaining({ level: 'error', event: 'source', source: 'dump' }))
  expect(records.at(-1)).toMatchObject({ level: 'warning', event: 'end', exitCode: 3 })

  const quiet = recordsOf(await sandbox.run(['run', '--log-json', '--quiet']))
  expect(new Set(quiet.map(({ level }) => level))).toEqual(new Set(['error']))
})

test('what verify finds has the sink and the key of the object', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  await sandbox.ok(['run'])
  rmSync(sandbox.path('sinks/two/packs'), { recursive: true })
  const ran = await sandbox.run(['verify', '--log-json'])
  expect(ran.code).toBe(1)
  expect(recordsOf(ran)).toContainEqual(
    expect.objectContaining({
      level: 'error',
      event: 'damage',
      sink: 'two',
      key: expect.stringMatching(/^packs\//),
      code: 'missing',
    }),
  )
})

test('mistakes are records, too: in the configuration, and in the options before anything is read', async () => {
  using sandbox = new Sandbox()
  sandbox.configure({ sinks: sandbox.sinks('one'), copys: 1 })
  const typo = await sandbox.run(['run', '--log-json'])
  expect([typo.code, ...recordsOf(typo)]).toEqual([
    2,
    expect.objectContaining({
      level: 'error',
      command: 'run',
      event: 'failure',
      exitCode: 2,
      message: expect.stringContaining('copys'),
    }),
  ])
  const usage = await sandbox.run(['run', '--log-json', '--sorce', 'tree'])
  expect([usage.code, ...recordsOf(usage)]).toEqual([
    2,
    expect.objectContaining({ event: 'failure', code: 'usage', message: expect.stringContaining('--sorce') }),
  ])
})

test('the daemon logs when it runs next, what it runs, and that it was stopped', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox, { verify: false, keep: undefined })
  const state = sandbox.path('home/state/pipe-backup/sandbox')
  await writeStateFile(`${state}/schedule.json`, { run: '2026-01-01T00:00:00.000Z' })
  // What was missed is made up for; the hook ends the daemon as `kubectl delete pod` would, when the run is through.
  sandbox.configure({
    ...JSON.parse(readFileSync(sandbox.path('pipe-backup.json'), 'utf8')),
    after: ['sh', '-c', `kill -TERM $(cat '${sandbox.path('pid')}')`],
  })
  const script = `echo $$ > '${sandbox.path('pid')}'; exec "$@"`
  const ran = await execa('sh', ['-c', script, 'sh', process.execPath, MAIN, 'daemon', '--log-json'], {
    cwd: sandbox.root,
    env: sandbox.environment(),
    stdin: 'ignore',
    stripFinalNewline: false,
  })
  const records = recordsOf({ out: Buffer.from(ran.stdout), err: ran.stderr })
  const seen = records.map(({ command, event }) => `${command} ${event}`)
  expect(seen.slice(0, 3)).toEqual(['daemon start', 'scheduled start', 'run start'])
  expect(seen).toContain('daemon stop')
  expect(records.at(-1)).toMatchObject({ command: 'daemon', event: 'end', exitCode: 0 })
})

test('what is asked for stays on standard output: the log is beside it', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  await sandbox.ok(['run'])
  const listed = await sandbox.run(['snapshots', '--log-json'])
  expect(listed.out.toString()).toContain('shop-1')
  expect(recordsOf({ out: Buffer.alloc(0), err: listed.err }).map(({ event }) => event)).toEqual([
    'start',
    'end',
  ])
  const shown = (await sandbox.ok(['schedule', 'show', '--systemd', '--log-json'])).toString()
  expect(shown).toMatch(/^ExecStart=.* scheduled --log-json$/m)
})
