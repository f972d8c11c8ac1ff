import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

const REPOSITORY = resolve(import.meta.dirname, '../../..')
const FUSE = join(REPOSITORY, 'packages/source-files/src/test-support/fuse.ts')

let sandbox: Sandbox
const programs: ChildProcess[] = []
const points: string[] = []
beforeEach(() => {
  sandbox = new Sandbox()
  mkdirSync(sandbox.path('data'))
})
afterEach(() => {
  // The death of its program ends all that waits for a file system.
  for (const program of programs.splice(0)) program.kill('SIGKILL')
  for (const point of points.splice(0).toReversed()) spawnSync('umount', ['-l', point])
  sandbox[Symbol.dispose]()
})

function fill(directory = 'data'): void {
  for (let i = 0; i < 20; i++) writeFileSync(sandbox.path(directory, `f${i}`), `${i}`)
}

function clear(): void {
  rmSync(sandbox.path('data'), { recursive: true })
  mkdirSync(sandbox.path('data'))
}

async function init(source: Record<string, unknown> = {}, more: Record<string, unknown> = {}): Promise<void> {
  configure(source, more)
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}

function configure(source: Record<string, unknown> = {}, more: Record<string, unknown> = {}): void {
  sandbox.configure({
    sources: [{ type: 'files', name: 'data', paths: ['data'], ...source }],
    sinks: sandbox.sinks('disk'),
    ...more,
  })
}

/** @param never - the first request that is left unanswered */
async function mountFuse(name: string, never: string): Promise<void> {
  const point = sandbox.path(name)
  mkdirSync(point)
  const program = spawn(process.execPath, [FUSE, point, never], { stdio: ['ignore', 'pipe', 'inherit'] })
  programs.push(program)
  points.push(point)
  await once(program.stdout, 'data')
}

async function run(...flags: string[]): Promise<{ code: number | undefined; all: string }> {
  const { code, out, err } = await sandbox.run(['run', ...flags])
  return { code, all: out.toString() + err }
}

async function doctorOfData(): Promise<string> {
  const { checks } = JSON.parse((await sandbox.run(['doctor', '--json', '--no-notify'])).out.toString())
  return checks
    .filter(({ subject }: { subject: string }) => subject === 'source data')
    .map(({ state, message }: { state: string; message: string }) => `${state} ${message}`)
    .join('\n')
}

test('a disk that is not mounted makes each run incomplete, and prune keeps the snapshots that have its files', async () => {
  await init({}, { keep: { last: 2 } })
  fill()
  expect((await run()).code).toBe(0)
  clear()
  for (let time = 0; time < 3; time++) {
    const { code, all } = await run()
    expect(code).toBe(3)
    expect(all).toMatch(/data: empty, where 20 entries were before\. .*allowEmpty: true/)
    expect(all).toMatch(/data {2}incomplete/)
  }
  expect(await doctorOfData()).toContain('failure ')
  await sandbox.run(['prune', '--force'])
  const { snapshots } = JSON.parse(
    `{"snapshots":[${(await sandbox.ok(['snapshots', '--json'])).toString().trim().split('\n').join(',')}]}`,
  )
  expect(JSON.stringify(snapshots)).toContain('"ok"')
  configure({ allowEmpty: true }, { keep: { last: 2 } })
  expect((await run()).code).toBe(0)
  configure({}, { keep: { last: 2 } })
  expect((await run()).code).toBe(0)
})

test('nine tenths less is a warning, and the run is fine', async () => {
  await init()
  fill()
  await run()
  clear()
  writeFileSync(sandbox.path('data/f0'), '0')
  const { code, all } = await run()
  expect({ code, isTold: /warning: source "data": only 2 entries, where 21 were before/.test(all) }).toEqual({
    code: 0,
    isTold: true,
  })
})

test('a sink and the state directory in the source are left out, with one line, and nothing grows', async () => {
  await init({ paths: ['.'], exclude: ['phrase'] })
  fill()
  const first = await run()
  expect(first.all.match(/left out/g)).toHaveLength(2)
  expect(first.all).toMatch(/sinks\/disk: it is the directory of sink "disk"; left out/)
  expect(first.all).toMatch(/state.*: it is this program's state directory; left out/)
  await run()
  const { out } = await sandbox.run(['run', '--json'])
  const { sources } = JSON.parse(out.toString())
  expect(sources).toMatchObject([{ state: 'ok', bytesNew: 0 }])
  const listed = (await sandbox.ok(['ls', 'latest', '--phrase-file', 'phrase'])).toString()
  expect(listed).toContain('data/f1')
  expect(listed).not.toMatch(/sinks\/disk|packs/)
})

test('a cache is named the first time that it is left out, and later with --verbose', async () => {
  await init()
  fill()
  mkdirSync(sandbox.path('data/target'))
  writeFileSync(sandbox.path('data/target/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n')
  writeFileSync(sandbox.path('data/target/important'), '')
  const named = /data\/target: what is in it is left out: its CACHEDIR.TAG/
  expect((await run()).all).toMatch(named)
  expect((await run()).all).not.toMatch(named)
  expect((await run('--verbose')).all).toMatch(named)
})

test('a pattern from the root on is taken as meant, and one that leaves nothing out is named', async () => {
  await init({
    paths: ['data', '~/docs'],
    exclude: [`${sandbox.path('data')}/f1*`, '~/docs/private/', 'no.such'],
  })
  const home = sandbox.path('house')
  mkdirSync(join(home, 'docs/private'), { recursive: true })
  fill()
  const { out, err } = await sandbox.run(['run', '--verbose'], { env: { HOME: home } })
  expect(out.toString() + err).toMatch(/source "data": exclude "no.such": it has left nothing out/)
  expect(out.toString() + err).not.toMatch(/exclude ".*(?:f1|private)/)
  const listed = (await sandbox.ok(['ls', 'latest', '--phrase-file', 'phrase'])).toString()
  expect(listed).toContain('/f2')
  expect(listed).not.toMatch(/\/f1|private/)
  expect(await doctorOfData()).toContain('warning exclude "no.such" has left nothing out in the last run')
})

describe.runIf(process.getuid?.() === 0)('with mounts', () => {
  test('a file system that a program serves, and that answers, is backed up like any other', async () => {
    await mountFuse('remote', 'NOTHING')
    await init({ paths: ['remote'] })
    expect(await sandbox.run(['run', '--quiet'])).toMatchObject({ code: 0, err: '' })
    const piped = await run()
    expect([piped.code, piped.all]).toEqual([0, expect.stringMatching(/^snapshot .*\n {2}data +ok /)])
    configure({ paths: ['remote', 'gone'] })
    const incomplete = await run()
    expect([incomplete.code, incomplete.all]).toEqual([3, expect.not.stringContaining('bug')])
  })

  test('a file system that hangs fails its source in time: the others are backed up, and the program ends', async () => {
    const hanging = ['INIT', 'READ', 'READDIR', 'FLUSH', 'OPEN']
    for (const never of hanging) await mountFuse(never, never)
    const sources = [...hanging, 'data'].map((path) => {
      return { type: 'files', name: path.toLowerCase(), paths: [path], timeout: 1 }
    })
    await init({}, { sources })
    fill()
    const begun = performance.now()
    const { code, out } = await sandbox.run(['run', '--json'])
    expect(code).toBe(3)
    const report: { sources: readonly { name: string; state: string; entries: number }[] } = JSON.parse(
      out.toString(),
    )
    expect(
      report.sources.map(({ name, state, entries }) => [name, state, name === 'data' && entries]),
    ).toEqual([...hanging.map((name) => [name.toLowerCase(), 'failed', false]), ['data', 'ok', 21]])
    expect(performance.now() - begun).toBeLessThan(40_000)
  }, 120_000)

  test('the whole machine is a source that ends, without what the kernel shows of itself', async () => {
    const root = sandbox.path('root')
    const shared = ['usr', 'lib', 'lib64', 'bin', 'etc'].filter((name) => readdirSync('/').includes(name))
    const mounts = [...shared.map((name) => `/${name}`), REPOSITORY, resolve(process.execPath, '../..')]
    for (const path of [...mounts, '/proc', '/sys', '/dev', '/tmp', '/home/data'])
      mkdirSync(join(root, path), { recursive: true })
    for (let i = 0; i < 20; i++) writeFileSync(join(root, 'home/data', `f${i}`), `${i}`)
    const config = {
      vault: 'machine',
      sources: [{ type: 'files', name: 'all', paths: ['/'], exclude: mounts.map((path) => `${path}/*`) }],
      sinks: [{ type: 'local', name: 'disk', path: '/home/sink' }],
    }
    writeFileSync(join(root, 'home/c.json'), JSON.stringify(config), { mode: 0o600 })
    const script = [
      ...mounts.map((path) => `mount --bind ${path} ${root}${path}`),
      `mount -t proc proc ${root}/proc`,
      `mount -t sysfs sysfs ${root}/sys`,
      `mount -t devtmpfs dev ${root}/dev`,
      `cd ${root}`,
      `run() { HOME=/home chroot ${root} ${process.execPath} ${MAIN} "$@" --config /home/c.json; }`,
      'run init --phrase-out /home/phrase',
      'run run --json',
      'run ls latest --phrase-file /home/phrase',
    ].join(' && ')
    const out = execFileSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8', timeout: 60_000 })
    const report = /^\{"snapshot".*$/m.exec(out)?.[0] ?? ''
    expect(JSON.parse(report)).toMatchObject({ exitCode: 0, sources: [{ state: 'ok' }] })
    expect(out).toMatch(/all\/home\/data\/f19/)
    expect(out).toMatch(/all\/proc\/?$/m)
    expect(out).not.toMatch(/all\/(?:proc|sys|dev)\/./)
    expect(out).not.toMatch(/all\/home\/sink/)
  }, 120_000)
})
