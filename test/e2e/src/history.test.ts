import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const sandbox = new Sandbox()
const tree = sandbox.path('tree')
const phrase = ['--phrase-file', 'phrase']
const ids: string[] = []

async function backUp(): Promise<void> {
  const report = JSON.parse((await sandbox.ok(['run', '--json'])).toString().trim().split('\n').at(-1) ?? '')
  ids.push(report.snapshot)
}

beforeAll(async () => {
  mkdirSync(`${tree}/d`, { recursive: true })
  writeFileSync(`${tree}/d/other`, 'all the time')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [tree] }],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await backUp()
  writeFileSync(`${tree}/d/f`, 'first', { mode: 0o644 })
  await backUp()
  await backUp()
  writeFileSync(`${tree}/d/f`, 'and the second')
  await backUp()
  chmodSync(`${tree}/d/f`, 0o600)
  await backUp()
  utimesSync(`${tree}/d/f`, 1_700_000_000, 1_700_000_000)
  await backUp()
  rmSync(`${tree}/d/f`)
  await backUp()
  symlinkSync('other', `${tree}/d/f`)
  await backUp()
  writeFileSync(`${tree}/d/same-size`, 'a')
  await backUp()
  writeFileSync(`${tree}/d/same-size`, 'b')
  await backUp()
})
afterAll(() => sandbox[Symbol.dispose]())

const at = (...numbers: number[]) => numbers.map((number) => ids[number])

async function history(path: string): Promise<Record<string, unknown>[]> {
  const out = await sandbox.ok(['history', path, ...phrase, '--json'])
  return out
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('each version of a file comes with what changed, and its snapshots', async () => {
  const versions = await history(`tree${tree}/d/f`)
  expect(versions.map(({ change, parts, size, snapshots }) => [change, parts, size, snapshots])).toEqual([
    ['added', [], 5, at(1, 2)],
    ['changed', ['content', 'mtime'], 14, at(3)],
    ['changed', ['mode'], 14, at(4)],
    ['changed', ['mtime'], 14, at(5)],
    ['removed', undefined, undefined, at(6)],
    ['added', [], undefined, at(7, 8, 9)],
  ])
  expect(versions[5]).toMatchObject({ type: 'symlink', target: 'other' })
})

test('each version that is listed can be had from the snapshot that is named', async () => {
  const [first, second] = await history(`tree${tree}/d/f`)
  const cat = async (version: Record<string, unknown> | undefined) =>
    (await sandbox.ok(['cat', String(version?.['snapshot']), `tree${tree}/d/f`, ...phrase])).toString()
  expect([await cat(first), await cat(second)]).toEqual(['first', 'and the second'])
})

test('a person reads a line for each', async () => {
  const out = (await sandbox.ok(['history', `tree${tree}/d/f`, ...phrase])).toString().trimEnd().split('\n')
  expect(
    out.map((line) => line.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME').split(/ {2,}/)),
  ).toEqual([
    ['since', 'change', 'mode', 'size', 'modified', 'restore from', 'snapshots'],
    ['TIME', 'added', '-rw-r--r--', '5 B', 'TIME', ids[2], '2 snapshots, to TIME'],
    ['TIME', 'changed', '-rw-r--r--', '14 B', 'TIME', ids[3], '1 snapshot', '(5 B -> 14 B)'],
    ['TIME', 'changed', '-rw-------', '14 B', 'TIME', ids[4], '1 snapshot', '(rw-r--r-- -> rw-------)'],
    ['TIME', 'changed', '-rw-------', '14 B', 'TIME', ids[5], '1 snapshot', '(time)'],
    ['TIME', 'removed', '1 snapshot'],
    ['TIME', 'added', 'lrwxrwxrwx', '-', 'TIME', ids[9], '3 snapshots, to TIME', '-> other'],
  ])
})

test('another content of the same size is another version', async () => {
  const out = (await sandbox.ok(['history', `tree${tree}/d/same-size`, ...phrase])).toString()
  expect(out).toMatch(
    new RegExp(
      ` added .* 1 B .* ${ids[8]}  1 snapshot\n.* changed .* 1 B .* ${ids[9]}  1 snapshot  \\(content\\)\n$`,
    ),
  )
})

test('a directory was there from one snapshot to another, and its content is for diff', async () => {
  const out = (await sandbox.ok(['history', `tree${tree}/d/`, ...phrase])).toString()
  expect(out).toMatch(new RegExp(`first .* ${ids[9]}  10 snapshots, to .*\n`))
  expect(out).toContain(`\`pipe-backup diff ${ids[0]} ${ids[9]}\` shows what changed in it`)
  expect((await history('tree')).map(({ type, snapshots }) => [type, snapshots])).toEqual([
    ['directory', ids],
  ])
})

test('what no snapshot has fails with one line that names what is there of it', async () => {
  const missing = `tree${tree}/d/none/f`
  const { code, out, err } = await sandbox.run(['history', missing, ...phrase])
  expect([code, out.length, err.trim().split('\n').length]).toEqual([1, 0, 1])
  expect(err).toContain(
    `none of 10 snapshots with source "tree" has ${missing}: what is there of it is tree${tree}/d\n`,
  )
  expect((await sandbox.run(['history', 'none/f', ...phrase])).code).toBe(1)
  expect((await sandbox.run(['history', '../f', ...phrase])).code).toBe(2)
})

test('what several hosts have at one path is shown by host, those of one name with their ids', async () => {
  using hosts = new Sandbox()
  mkdirSync(hosts.path('tree'))
  const backUpAs = async (host: string, machine: string): Promise<void> => {
    writeFileSync(hosts.path('tree/f'), machine)
    hosts.configure({
      host,
      sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
      sinks: hosts.sinks('one'),
    })
    const join = machine === 'home' ? ['--phrase-out', 'phrase'] : ['--phrase-file', 'phrase']
    await hosts.ok(['init', ...join], { machine })
    await hosts.ok(['run'], { machine })
  }
  const headings = async (): Promise<string[]> =>
    (await hosts.ok(['history', `tree${hosts.path('tree/f')}`, ...phrase]))
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('host '))
  await backUpAs('ours', 'home')
  expect(await headings()).toEqual([])
  await backUpAs('theirs', 'second')
  expect(await headings()).toEqual(['host ours', 'host theirs'])
  await backUpAs('ours', 'third')
  expect(await headings()).toEqual([
    expect.stringMatching(/^host ours \([0-9a-f]{32}\)$/),
    'host theirs',
    expect.stringMatching(/^host ours \([0-9a-f]{32}\)$/),
  ])
})
