import { expect, test } from 'vitest'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

test('a prune renews the locks of what is needed still, on sinks that lock, and says which it could not', async () => {
  using vault = await TestVault.create(['locking', 'plain'])
  const locking = vault.sink('locking')
  const source = new MemorySource('tree', { file: 'the first' })
  const { snapshot: old } = await vault.run([source])
  const before = locking.keys()
  source.set('file', 'the second')
  const { snapshot } = await vault.run([source])
  const asked: string[] = []
  let isRefused = false
  locking.renewLock = (key, storedAt) => {
    expect(storedAt.getTime()).toBeLessThanOrEqual(Date.now())
    asked.push(key)
    if (isRefused && key.startsWith('packs/')) throw locking.error('forbidden')
    return Promise.resolve(key.startsWith('packs/'))
  }
  const report = await vault.prune({ keep: [snapshot ?? ''] })
  const needed = locking.keys('packs/').filter((key) => !before.includes(key))
  expect(asked.filter((key) => key.startsWith('packs/')).sort()).toEqual(needed)
  expect(asked.filter((key) => key.startsWith('snapshots/')).join()).toContain(snapshot)
  expect(asked.join()).not.toContain(old)
  expect(asked).toContain('vault.json')
  expect(report.sinks).toMatchObject([
    { locksRenewed: needed.length, locksFailed: 0 },
    { locksRenewed: 0, locksFailed: 0 },
  ])
  isRefused = true
  expect(await vault.prune({ keep: [snapshot ?? ''] })).toMatchObject({
    exitCode: 3,
    sinks: [{ state: 'pruned', locksRenewed: 0, locksFailed: needed.length }, { locksFailed: 0 }],
  })
  expect(await vault.verify()).toMatchObject({ exitCode: 0 })
})
