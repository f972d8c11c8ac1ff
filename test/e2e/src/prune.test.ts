import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { difference, Sandbox } from './sandbox.ts'

const SINKS = ['one', 'two']

/** Runs so many times, over a tree that changes each time. @returns the ids */
async function backups(sandbox: Sandbox, count: number, more: object = {}): Promise<string[]> {
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  writeFileSync(`${tree}/steady`, randomBytes(2_000_000))
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks(...SINKS),
    keep: { last: 2 },
    ...more,
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    writeFileSync(`${tree}/changing`, randomBytes(3_000_000))
    ids.push(JSON.parse((await sandbox.ok(['run', '--json'])).toString()).snapshot)
  }
  return ids
}

const shown = async (sandbox: Sandbox, sink: string) =>
  (await sandbox.ok(['snapshots', '--json', '--from', sink]))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).id)

test('prune applies `keep`, says first what would go, and what stays restores from each sink', async () => {
  using sandbox = new Sandbox()
  const ids = await backups(sandbox, 4, { grace: '0s' })
  const dry = JSON.parse((await sandbox.ok(['prune', '--dry-run', '--json'])).toString())
  expect(dry.removed).toEqual(ids.slice(0, 2))
  expect(await shown(sandbox, 'one')).toEqual(ids)

  const done = JSON.parse((await sandbox.ok(['prune', '--json'])).toString())
  expect(done).toMatchObject({ removed: ids.slice(0, 2), kept: 2, exitCode: 0 })
  for (const sink of done.sinks) {
    expect(sink.bytesFreed).toBeGreaterThan(2_900_000)
    expect(sink.bytesBefore - sink.bytesAfter).toBeGreaterThan(2_900_000)
  }
  for (const sink of SINKS) {
    expect(await shown(sandbox, sink)).toEqual(ids.slice(2))
    await sandbox.ok(['restore', 'latest', '--from', sink, '--phrase-file', 'phrase', '--to', `from-${sink}`])
    expect(
      await difference(sandbox.path('tree'), sandbox.path(`from-${sink}`, 'tree', sandbox.path('tree'))),
    ).toBe('')
  }
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
})

test('prune --compact, without the phrase: what stays restores, and the next run sends next to nothing', async () => {
  using sandbox = new Sandbox()
  await backups(sandbox, 9, { grace: '0s', keep: { last: 8 } })
  const done = JSON.parse((await sandbox.ok(['prune', '--compact', '--json'])).toString())
  expect(done.compacted.from).toBeGreaterThan(done.compacted.into)
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
  await sandbox.ok(['restore', 'latest', '--from', 'two', '--phrase-file', 'phrase', '--to', 'restored'])
  expect(await difference(sandbox.path('tree'), sandbox.path('restored/tree', sandbox.path('tree')))).toBe('')
  const next = JSON.parse((await sandbox.ok(['run', '--json'])).toString())
  expect(next.sinks[0].bytesSent).toBeLessThan(20_000)
})

test('without a policy, or with one that keeps nothing, nothing is removed', async () => {
  using sandbox = new Sandbox()
  await backups(sandbox, 2, { keep: undefined })
  const ran = await sandbox.run(['prune'])
  expect(ran.code).toBe(2)
  expect(ran.err).toContain('does not say what to keep')
  const nothing = { sources: [], sinks: sandbox.sinks(...SINKS), keep: { hourly: 0 } }
  sandbox.configure(nothing)
  const refused = await sandbox.run(['prune'])
  expect(refused.code).toBe(2)
  expect(refused.err).toContain('keeps nothing at all')
  expect(readdirSync(sandbox.path('sinks/one/snapshots'))).toHaveLength(2)
})
