import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { readStateFile, writeStateFile } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

async function prepared(sandbox: Sandbox, more: object = {}): Promise<void> {
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'content')
  sandbox.configure({
    sources: [
      { type: 'files', name: 'tree', paths: ['tree'] },
      { type: 'command', name: 'list', run: ['cat', sandbox.path('given')], path: 'list.txt' },
    ],
    sinks: sandbox.sinks('one', 'two'),
    schedule: '0 * * * *',
    ...more,
  })
  writeFileSync(sandbox.path('given'), 'something')
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
}

async function statusOf(sandbox: Sandbox) {
  const { code, out } = await sandbox.run(['status', '--json'])
  const status = JSON.parse(out.toString())
  expect(status.exitCode).toBe(code)
  return status
}

test('status: nothing yet, all well, a source that failed, a sink that is away, behind, damaged', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  expect(await statusOf(sandbox)).toMatchObject({ exitCode: 1, lastGood: null, snapshots: 0 })

  await sandbox.ok(['run'])
  const well = await statusOf(sandbox)
  expect(well).toMatchObject({
    exitCode: 0,
    vault: 'sandbox',
    lastGood: { sinks: ['one', 'two'] },
    snapshots: 1,
    sources: [
      { name: 'tree', state: 'ok', entries: 2 },
      { name: 'list', state: 'ok' },
    ],
    sinks: [
      { name: 'one', state: 'ok', behind: 0 },
      { name: 'two', state: 'ok' },
    ],
    worries: [],
  })
  expect(new Date(well.nextRun).getMinutes()).toBe(0)
  expect(Date.parse(well.nextRun)).toBeGreaterThan(Date.now())
  expect(String(await sandbox.ok(['status']))).toContain('all is well')

  renameSync(sandbox.path('given'), sandbox.path('not-given'))
  renameSync(sandbox.path('sinks/two'), sandbox.path('away'))
  expect((await sandbox.run(['run'])).code).toBe(1)
  expect(await statusOf(sandbox)).toMatchObject({
    exitCode: 1,
    lastGood: { id: well.lastGood.id },
    sources: [{ state: 'ok' }, { state: 'failed', lastGood: well.sources[1].lastGood }],
    sinks: [{ state: 'ok' }, { state: 'failed', error: expect.stringContaining('is not there') }],
    worries: expect.arrayContaining([expect.objectContaining({ subject: 'source list' })]),
  })
  renameSync(sandbox.path('away'), sandbox.path('sinks/two'))
  expect(await statusOf(sandbox)).toMatchObject({ sinks: [{ state: 'ok' }, { state: 'behind', behind: 1 }] })

  renameSync(sandbox.path('not-given'), sandbox.path('given'))
  await sandbox.ok(['run'])
  expect(await statusOf(sandbox)).toMatchObject({ exitCode: 0, snapshots: 3, worries: [] })
})

test('a machine without the host key sees it by the phrase', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  await sandbox.ok(['run'])
  const there = await sandbox.run(['status', '--phrase-file', 'phrase', '--json'], { machine: 'elsewhere' })
  expect(JSON.parse(there.out.toString())).toMatchObject({ exitCode: 0, snapshots: 1 })
  expect((await sandbox.run(['status'], { machine: 'third' })).code).toBe(2)
})

test('what has grown old is reported by every command that reads, also what was never good', async () => {
  using sandbox = new Sandbox()
  await prepared(sandbox)
  renameSync(sandbox.path('given'), sandbox.path('not-given'))
  await sandbox.run(['run'])
  const file = sandbox.path('home/state/pipe-backup/sandbox/notify.json')
  const log = (await readStateFile(file)) as Record<'lastGood' | 'watchedSince', Record<string, Date>>
  expect(Object.keys(log.lastGood)).toEqual(['source tree', 'sink one', 'sink two'])
  log.lastGood['source tree'] = log.watchedSince['source list'] = new Date(Date.now() - 30 * 3_600_000)
  await writeStateFile(file, log)
  for (const args of [['snapshots'], ['ls', 'latest', '--phrase-file', 'phrase']]) {
    const { err } = await sandbox.run(args)
    expect(err).toContain('warning: source tree: its last good copy is 30 hours old')
    expect(err).toContain('warning: source list: has had no good copy yet, for 30 hours')
  }
  const { worries } = await statusOf(sandbox)
  expect(worries.map(({ subject }: { subject: string }) => subject)).toEqual(
    expect.arrayContaining(['source tree', 'source list']),
  )
})
