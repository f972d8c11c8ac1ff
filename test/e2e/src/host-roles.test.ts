import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
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

test('a host whose key was stolen is revoked: what it had stored stays, and nothing is taken from it any more', async () => {
  using sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/file'), 'precious')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: ['tree'] }],
    sinks: sandbox.sinks('one', 'two'),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  await sandbox.ok(['send', '--name', 'all'])
  const { hostId, hostKey } = JSON.parse((await sandbox.ok(['key', 'show', '--json'])).toString())
  expect((await sandbox.ok(['key', 'hosts'])).toString()).toMatch(
    new RegExp(`^${hostId} .* maintains +1 snapshot, the last of `),
  )

  const nobody = await sandbox.run(['key', 'revoke', 'nobody', '--phrase-file', 'phrase'])
  expect([nobody.code, nobody.err]).toEqual([
    2,
    expect.stringContaining(`no host "nobody" has stored anything`),
  ])
  const revoked = await sandbox.ok(['key', 'revoke', hostId.slice(0, 8), '--phrase-file', 'phrase'])
  expect(revoked.toString()).toContain(`host ${hostId} is revoked, on one, two`)
  expect(revoked.toString()).toContain('snapshots of it that are believed: 1')
  expect((await sandbox.ok(['key', 'hosts'])).toString()).toMatch(new RegExp(`^${hostId} .* revoked `))
  for (const command of [['run'], ['heal'], ['send', '--name', 'more']]) {
    const refused = await sandbox.run(command)
    expect(refused.code, command.join(' ')).toBe(1)
    expect(refused.err).toContain("this host's key was revoked")
  }
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
  expect(
    (
      await sandbox.ok(['cat', 'latest', `tree${sandbox.path('tree/file')}`, '--phrase-file', 'phrase'])
    ).toString(),
  ).toBe('precious')
  expect((await sandbox.ok(['archives'])).toString()).toContain('all.tar')

  // The host that was cleaned gets a new key, and goes on.
  renameSync(hostKey, `${hostKey}.stolen`)
  await sandbox.ok(['init', '--phrase-file', 'phrase'])
  await sandbox.ok(['run'])
  expect(await snapshots(sandbox)).toBe(2)
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'phrase'])
})
