import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { revocationKey } from '../format/revocation.ts'
import { sealObject } from '../format/sealed-object.ts'
import { openSnapshotHead, sealSnapshot, snapshotKey } from '../format/snapshot-object.ts'
import { newTrashKey, sealTrash } from '../format/trash-object.ts'
import { listSnapshots } from '../store/snapshots.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { revokeHost } from './revoke-host.ts'

const SINKS = ['one', 'two']

/** A vault with a snapshot by each of two hosts, of which `other` was stolen. */
async function twoHosts() {
  const vault = await TestVault.create(SINKS)
  const source = new MemorySource('tree', { file: randomBytes(50_000) })
  const own = (await vault.run([source])).snapshot ?? ''
  const other = vault.anotherHost()
  const theirs = (await other.run([new MemorySource('tree', { theirs: randomBytes(40_000) })])).snapshot ?? ''
  const revoke = (more: Partial<Parameters<typeof revokeHost>[0]> = {}) =>
    revokeHost({
      sinks: vault.sinks,
      vaultId: vault.host.vaultId,
      keys: vault.keys,
      hostId: other.host.hostId,
      ...more,
    })
  return { vault, source, own, other, theirs, revoke }
}

const idsOf = async (vault: TestVault): Promise<string[]> =>
  (await vault.snapshots(vault.sinks)).map(({ id }) => id).sort()

test('what a revoked host had stored is believed, and nothing that it signs afterwards', async () => {
  const { vault, source, own, other, theirs, revoke } = await twoHosts()
  using _ = vault
  using __ = other
  const revoked = await revoke()
  expect(revoked).toMatchObject({ refused: [], sinks: [{ sink: 'one' }, { sink: 'two' }] })
  expect(revoked.believed).toHaveLength(1)
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
  expect(Object.keys(await vault.texts(vault.sinks, theirs))).toEqual(['tree/theirs'])
  await expect(other.run([source])).rejects.toMatchObject({
    code: 'not-permitted',
    message: expect.stringContaining('revoked'),
  })

  // The thief does not run this program.
  const [one] = vault.sinks
  const [honest = ''] = (await vault.snapshots(vault.sinks))
    .filter(({ id }) => id === theirs)
    .map(({ key }) => key)
  const head = openSnapshotHead(vault.keys, honest, one?.objects.get(honest) ?? Buffer.of())
  const id = 'ab'.repeat(8)
  const key = snapshotKey(new Date(head.time), id)
  const trash = newTrashKey(new Date())
  const packs = one?.keys('packs/').map((pack) => pack.slice(-64)) ?? []
  one?.objects.set(key, sealSnapshot(other.host, key, { ...head, id }))
  one?.objects.set(trash, sealTrash(other.host, trash, new Date(), { packs, snapshots: [own], sessions: [] }))
  expect(await idsOf(vault)).toEqual([own, theirs].sort())
  const verified = await vault.verify()
  expect(verified.exitCode).toBe(1)
  expect(verified.sinks[0]?.problems.map(({ key: about }) => about).sort()).toEqual([key, trash].sort())
  expect(await vault.prune({ keep: [own, theirs], graceMs: 0 })).toMatchObject({ removed: [], kept: 2 })
  await vault.heal()
  expect(one?.keys().includes(key)).toBe(false)
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
  expect(await idsOf(vault)).toEqual([own, theirs].sort())
})

test('with a time, what the sinks did not hold before it is not believed either', async () => {
  let hour = 0
  const vault = await TestVault.create(SINKS, 7, () => new Date(Date.UTC(2026, 0, 1, hour)))
  using _ = vault
  const source = new MemorySource('tree', { file: 'before' })
  const before = (await vault.run([source])).snapshot ?? ''
  hour = 5
  source.set('file', 'after the break-in')
  const after = (await vault.run([source])).snapshot ?? ''
  const report = await revokeHost({
    sinks: vault.sinks,
    vaultId: vault.host.vaultId,
    keys: vault.keys,
    hostId: vault.host.hostId,
    since: new Date(Date.UTC(2026, 0, 1, 3)),
  })
  expect(report.believed.join()).toContain(before)
  expect(report.refused.join()).toContain(after)
  expect(await idsOf(vault)).toEqual([before])
  // A second revocation takes nothing back.
  const again = {
    sinks: vault.sinks,
    vaultId: vault.host.vaultId,
    keys: vault.keys,
    hostId: vault.host.hostId,
  }
  await revokeHost(again)
  expect(await idsOf(vault)).toEqual([before])
})

test('a revocation that one sink hides is learnt from another, and from what this host has seen', async () => {
  const { vault, source, other, theirs, revoke } = await twoHosts()
  using _ = vault
  using __ = other
  await revoke()
  await vault.run([source])
  const [one, two] = vault.sinks
  const key = revocationKey(other.host.hostId)
  one?.objects.delete(key)
  const fresh = () => ({ ...vault.keys, revoked: new Map() })
  const keys = fresh()
  await listSnapshots({ sinks: vault.sinks, keys })
  expect(keys.revoked.has(other.host.hostId)).toBe(true)
  // Heal brings it back, as it does a grant.
  await vault.heal()
  expect(one?.keys().includes(key)).toBe(true)
  for (const sink of [one, two]) sink?.objects.delete(key)
  vault.keys.revoked.clear()
  vault.host.keys.revoked.clear()
  await vault.run([source])
  expect(vault.host.keys.revoked.has(other.host.hostId)).toBe(true)
  expect(theirs).not.toBe('')
})

test('only the phrase revokes: what a host signs, or stores under another host, revokes nobody', async () => {
  const { vault, other, revoke } = await twoHosts()
  using _ = vault
  using __ = other
  const [one] = vault.sinks
  await revoke()
  const real = one?.objects.get(revocationKey(other.host.hostId)) ?? Buffer.of()
  const victim = revocationKey(vault.host.hostId)
  for (const forged of [
    real,
    Buffer.from('garbage'),
    Buffer.of(),
    sealObject(other.host, victim, Buffer.from('{}')),
  ]) {
    one?.objects.set(victim, forged)
    const keys = { ...vault.keys, revoked: new Map() }
    await listSnapshots({ sinks: vault.sinks, keys })
    expect([...keys.revoked.keys()]).toEqual([other.host.hostId])
  }
})
