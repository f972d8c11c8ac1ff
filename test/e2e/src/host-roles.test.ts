import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

const snapshots = async (sandbox: Sandbox): Promise<number> =>
  (await sandbox.ok(['snapshots', '--json'])).toString().trim().split('\n').length

test('a host that may write alone backs up and does not prune, until it is made one that maintains', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
    keep: { last: 1 },
  })
  const init = await sandbox.ok(['init', '--role', 'write', '--phrase-out', 'phrase'])
  expect(init.toString()).toMatch(/^host key: .*, which may write snapshots, and not prune$/m)
  for (const text of ['first', 'second']) {
    writeFileSync(sandbox.path('tree/file'), text)
    await sandbox.ok(['run'])
  }
  const refused = await sandbox.run(['prune'])
  expect([refused.code, refused.err.split('\n').length]).toEqual([1, 3])
  expect(refused.err).toContain("this host's key may write snapshots, and not prune")
  expect(refused.err).toContain('pipe-backup init --role maintain --phrase-file FILE')
  // What a timer does leaves it to another host, and has nothing to complain of.
  await sandbox.ok(['scheduled'])
  expect(await snapshots(sandbox)).toBe(3)

  await sandbox.ok(['init', '--role', 'maintain', '--phrase-file', 'phrase'])
  await sandbox.ok(['prune', '--force'])
  expect(await snapshots(sandbox)).toBe(1)
  expect(JSON.parse((await sandbox.ok(['key', 'show', '--json'])).toString())).toMatchObject({
    role: 'maintain',
  })
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
})
