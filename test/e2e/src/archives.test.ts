import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { difference, MAIN, Sandbox } from './sandbox.ts'

const RECOVER = resolve(import.meta.dirname, '../../recover/recover-archive.py')

/** A sandbox with a tree, a program's output of several parts and three local sinks. */
async function made(more: Record<string, unknown> = {}): Promise<Sandbox> {
  const sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  makeOddTree(sandbox.path('tree'))
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: [sandbox.path('tree')] },
      { type: 'command', name: 'dump', run: ['seq', '1', '5000000'], path: 'dump.sql' },
    ],
    sinks: sandbox.sinks('one', 'two', 'three'),
    ...more,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  return sandbox
}

const objects = (sandbox: Sandbox, sink: string): string[] => {
  const directory = sandbox.path('sinks', sink, 'archives')
  return existsSync(directory) ? readdirSync(directory).sort() : []
}

/** `pipe-backup receive` into a pipe of another program's. */
const receiveInto = (sandbox: Sandbox, args: string, into: string) =>
  execa(
    'bash',
    [
      '-o',
      'pipefail',
      '-c',
      `"$0" "$1" receive ${args} --phrase-file phrase | ${into}`,
      process.execPath,
      MAIN,
    ],
    {
      cwd: sandbox.root,
      env: sandbox.environment(),
    },
  )

test('one archive of all the sources is on every sink, and tar, sha256sum and recover-archive.py read it', async () => {
  using sandbox = await made()
  const report = JSON.parse(String(await sandbox.ok(['send', '--json'])))
  expect(report).toMatchObject({
    copies: 3,
    exitCode: 0,
    sources: [
      { name: 'tree', state: 'ok' },
      { name: 'dump', state: 'ok', entries: 1 },
    ],
    sinks: ['one', 'two', 'three'].map((name) => ({ name, state: 'ok', bytesSent: report.bytes })),
  })
  const file = String(report.archive)
  expect(file).toMatch(/^\d{8}t\d{6}\.\d{3}z-sandbox\.tar\.pb$/)
  for (const sink of ['one', 'two', 'three']) {
    expect(objects(sandbox, sink)).toEqual([file, `${file}.sha256`])
    await execa('sha256sum', ['--check', '--strict', `${file}.sha256`], {
      cwd: sandbox.path('sinks', sink, 'archives'),
    })
  }
  mkdirSync(sandbox.path('out'))
  await receiveInto(sandbox, 'latest', 'tar -xp --xattrs --xattrs-include=* -C out')
  expect(await difference(sandbox.path('tree'), sandbox.path('out/tree', sandbox.path('tree')))).toBe('')
  const joined = await execa('bash', ['-c', 'cat out/dump/dump.sql.part-* | sha256sum'], {
    cwd: sandbox.root,
  })
  const direct = await execa('bash', ['-c', 'seq 1 5000000 | sha256sum'])
  expect(joined.stdout).toBe(direct.stdout)

  const archive = sandbox.path('sinks/two/archives', file)
  const received = await receiveInto(sandbox, 'sandbox', 'sha256sum')
  const recovered = await execa('bash', [
    '-o',
    'pipefail',
    '-c',
    `/usr/bin/python3 ${RECOVER} ${archive} --phrase-file ${sandbox.path('phrase')} | sha256sum`,
  ])
  expect(recovered.stdout).toBe(received.stdout)
  expect(recovered.stderr).toBe(`this is ${file}`)
  truncateSync(archive, 10_000_000)
  const cut = await execa('/usr/bin/python3', [RECOVER, archive, '--phrase-file', sandbox.path('phrase')], {
    reject: false,
    encoding: 'buffer',
  })
  expect(cut.exitCode).toBe(1)
  expect(Buffer.from(cut.stderr).toString()).toContain('damaged or cut short')
})

test('what is piped in comes back as it was; nothing piped in, or a bad name, is no archive', async () => {
  using sandbox = await made()
  const input = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 255))
  await sandbox.ok(['send', '--stdin', 'notes.bin'], { input })
  const back = await sandbox.ok(['receive', 'notes.bin', '--phrase-file', 'phrase', '--from', 'two'])
  expect(back.equals(input)).toBe(true)
  const [listed] = String(await sandbox.ok(['archives', '--json'])).split('\n')
  expect(JSON.parse(listed ?? '')).toMatchObject({
    name: 'notes.bin',
    content: 'bytes',
    sinks: ['one', 'two', 'three'],
  })

  const nothing = await sandbox.run(['send', '--stdin', 'empty'], { input: '' })
  expect(nothing).toMatchObject({ code: 1 })
  expect(nothing.err).toContain('nothing came in on standard input')
  for (const name of ['No', '../x', 'a b', '.x', 'x'.repeat(65)])
    expect(await sandbox.run(['send', '--name', name])).toMatchObject({ code: 2 })
  expect(await sandbox.run(['send', '--stdin', 'x', '--source', 'tree'], { input: 'x' })).toMatchObject({
    code: 2,
  })
  expect(await sandbox.run(['send', '--source', 'nope'])).toMatchObject({ code: 2 })
  expect(objects(sandbox, 'one')).toHaveLength(2)
  const other = await sandbox.run(['receive', 'nope', '--phrase-file', 'phrase'])
  expect(other).toMatchObject({ code: 1 })
  expect(other.err).toContain('there is no archive "nope"')
})

test('a source that fails makes no archive; a file that can not be read is reported, and the rest is one', async () => {
  using sandbox = await made({
    sources: [
      { type: 'command', name: 'first', run: ['seq', '1', '4000000'], path: 'a' },
      { type: 'command', name: 'dump', run: ['sh', '-c', 'seq 1 4000000; exit 3'], path: 'dump.sql' },
    ],
    after: ['sh', '-c', 'echo "$PIPE_BACKUP_OUTCOME,$PIPE_BACKUP_ARCHIVE" >> hooks'],
  })
  const failed = await sandbox.run(['send'])
  expect(failed).toMatchObject({ code: 1 })
  expect(failed.err).toContain('no archive was made: source "dump" failed')
  for (const sink of ['one', 'two', 'three']) expect(objects(sandbox, sink)).toEqual([])
  expect(readFileSync(sandbox.path('hooks'), 'utf8')).toBe('failed,\n')
})

test('each sink fails alone: an archive on too few is none, on enough it is one, and heal brings it to the others', async () => {
  using sandbox = await made({ copies: 2 })
  rmSync(sandbox.path('sinks/three'), { recursive: true })
  const sent = await sandbox.run(['send', '--json'])
  expect(sent).toMatchObject({ code: 3 })
  expect(JSON.parse(String(sent.out))).toMatchObject({
    copies: 2,
    sinks: [{ state: 'ok' }, { state: 'ok' }, { state: 'failed' }],
  })
  const [file = ''] = objects(sandbox, 'one')
  rmSync(sandbox.path('sinks/two'), { recursive: true })
  const none = await sandbox.run(['send'])
  expect(none).toMatchObject({ code: 1 })
  expect(none.err).toContain('no archive was made: 1 of the 2 sinks that must hold it took it')
  expect(objects(sandbox, 'one')).toEqual([file, `${file}.sha256`])

  await sandbox.ok(['heal', '--sink', 'two', '--sink', 'three'])
  for (const sink of ['two', 'three']) expect(objects(sandbox, sink)).toEqual([file, `${file}.sha256`])
  truncateSync(sandbox.path('sinks/one/archives', file), 1000)
  rmSync(sandbox.path('sinks/two/archives', `${file}.sha256`))
  const bytes = readFileSync(sandbox.path('sinks/three/archives', file))
  bytes[5_000_000] = (bytes[5_000_000] ?? 0) ^ 1
  writeFileSync(sandbox.path('sinks/three/archives', file), bytes)
  const found = await sandbox.run(['verify'])
  expect(found).toMatchObject({ code: 1 })
  expect(found.err).toMatch(/sink "one": archives\/\S+ has 1000 bytes instead of \d+/)
  expect(found.err).toContain(`sink "two": archives/${file}.sha256 is missing`)
  expect(found.err).toContain(`sink "three": archives/${file} is damaged`)
  await sandbox.ok(['heal'])
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
})

test('prune applies keep to the archives of each name, and asks before it removes most of them', async () => {
  using sandbox = await made({ keep: { last: 2 } })
  for (let i = 0; i < 5; i++) await sandbox.ok(['send', '--stdin', 'notes'], { input: `${i}` })
  await sandbox.ok(['send', '--source', 'dump', '--name', 'dump'])
  const before = objects(sandbox, 'one')
  expect(await sandbox.run(['prune', '--dry-run'])).toMatchObject({ code: 0 })
  const asked = await sandbox.run(['prune'])
  expect(asked).toMatchObject({ code: 0 })
  expect(before).toHaveLength(12)
  for (const sink of ['one', 'two', 'three']) expect(objects(sandbox, sink)).toHaveLength(6)
  expect(String(await sandbox.ok(['receive', 'notes', '--phrase-file', 'phrase']))).toBe('4')
  for (let i = 0; i < 9; i++) await sandbox.ok(['send', '--stdin', 'notes'], { input: `${i}` })
  sandbox.configure({
    sources: [],
    sinks: sandbox.sinks('one', 'two', 'three'),
    keep: { last: 1 },
  })
  const refused = await sandbox.run(['prune'])
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.err).toContain('no archive was removed: it would remove 10 of 12 archives')
  await sandbox.ok(['prune', '--force'])
  expect(objects(sandbox, 'two')).toHaveLength(4)
})

test('a sink that dies in mid-stream is replaced by another: what comes out is whole', async () => {
  using sandbox = await made()
  await sandbox.ok(['send'])
  const [file = ''] = objects(sandbox, 'one')
  const path = sandbox.path('sinks/one/archives', file)
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const { stdout, stderr } = await receiveInto(sandbox, 'latest', 'tar -tv | tail -1')
  expect(stdout).toMatch(/dump\/dump\.sql\.part-00000\d$/)
  expect(stderr).toContain(`sink "one": archives/${file}: the encrypted stream is damaged`)
  const left = join(sandbox.root, 'phrase')
  writeFileSync(left, readFileSync(left, 'utf8').replace(/^\S+/, 'zebra'))
  await expect(receiveInto(sandbox, 'latest', 'cat')).rejects.toMatchObject({ exitCode: 1 })
})
