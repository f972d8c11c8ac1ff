import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { openIndex } from '../format/index-object.ts'
import { createVaultHost } from '../format/vault-host.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

/** A run of another host has brought packs to the sink, and no index that lists them: it goes on still, or was killed. */
async function withUnlistedPacks(): Promise<TestVault> {
  const vault = await TestVault.create()
  using other = vault.anotherHost()
  const sink = vault.sink('one')
  sink.before = (operation, key) => {
    if (operation === 'put' && /^(?:index|snapshots)/.test(key)) throw sink.error('full')
  }
  await other.run([new MemorySource('tree', { theirs: randomBytes(200_000) })])
  sink.before = undefined
  expect([sink.keys('packs/').length > 0, sink.keys('index/')]).toEqual([true, []])
  return vault
}

test.for(['write', 'maintain'] as const)(
  'packs of a run of another host, which no index lists yet, fail no run of a host with the role %s',
  async (role) => {
    using vault = await withUnlistedPacks()
    const host = createVaultHost(vault.keys, role)
    const foreign = vault.sink('one').keys('packs/').length
    const source = new MemorySource('tree', { ours: 'content' })
    expect(await vault.run([source], { host })).toMatchObject({ exitCode: 0, copies: 1 })
    expect(await vault.texts(vault.sinks)).toEqual({ 'tree/ours': 'content' })
    const [key = ''] = vault.sink('one').keys('index/')
    const listed = openIndex(vault.keys, key, vault.sink('one').objects.get(key) ?? new Uint8Array())
    const own = vault.sink('one').keys('packs/').length - foreign
    // A host that may write alone lists its own: an index of it with others in it would be taken for a forgery.
    expect(listed).toHaveLength(role === 'write' ? own : own + foreign)
  },
)
