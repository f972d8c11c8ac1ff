import { expect, test } from 'vitest'
import { newTrashKey, sealTrash } from '../format/trash-object.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

async function vaultOfOneSink(): Promise<TestVault> {
  const vault = await TestVault.create(['one'])
  await vault.run([new MemorySource('tree', { file: 'content' })])
  return vault
}

test('what a verification has falsely found damaged is not deleted on its word, though nothing else has it', async () => {
  using vault = await vaultOfOneSink()
  const one = vault.sink('one')
  const before = await vault.texts()
  const packs = one.keys('packs/')
  const damaged = [...packs, ...one.keys('snapshots/')].map((key) => ({
    sink: 'one',
    key,
    why: 'corrupt' as const,
  }))
  await vault.heal({ damaged })
  expect(one.keys('packs/')).toEqual(packs)
  expect(await vault.texts()).toEqual(before)
})

test('a damaged pack is not deleted while a snapshot is shown of which nobody knows what it needs', async () => {
  using vault = await vaultOfOneSink()
  const one = vault.sink('one')
  const packs = one.keys('packs/')
  for (const key of [...packs, ...one.keys('snapshots/')]) {
    const bytes = Buffer.from(one.objects.get(key) ?? '')
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
    one.objects.set(key, bytes)
  }
  await vault.verify()
  await vault.heal()
  expect(one.keys('packs/')).toEqual(packs)
})

test('a damaged pack that nothing needs is deleted', async () => {
  using vault = await vaultOfOneSink()
  const one = vault.sink('one')
  const packs = one.keys('packs/')
  const key = `packs/ab/${'ab'.repeat(32)}`
  await one.put(key, Buffer.alloc(200))
  expect(await vault.verify()).toMatchObject({ exitCode: 1 })
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  expect(one.keys('packs/')).toEqual(packs)
})

test('a snapshot that was falsely found damaged is not deleted, whatever trash says of it', async () => {
  using vault = await vaultOfOneSink()
  const one = vault.sink('one')
  const [snapshot = ''] = one.keys('snapshots/')
  const time = new Date()
  const key = newTrashKey(time)
  const trash = { packs: [], snapshots: [snapshot.slice(-16)], sessions: [] }
  await one.put(key, sealTrash(vault.host, key, time, trash))
  await vault.heal({ damaged: [{ sink: 'one', key: snapshot, why: 'corrupt' }] })
  expect(one.keys('snapshots/')).toEqual([snapshot])
})

test('trash that was falsely found damaged is not deleted', async () => {
  using vault = await vaultOfOneSink()
  const one = vault.sink('one')
  const time = new Date()
  const key = newTrashKey(time)
  await one.put(key, sealTrash(vault.host, key, time, { packs: [], snapshots: [], sessions: [] }))
  const report = await vault.heal({ damaged: [{ sink: 'one', key, why: 'corrupt' }] })
  expect(report).toMatchObject({ exitCode: 0, sinks: [{ objects: 0 }] })
  expect(one.keys('trash/')).toEqual([key])
})
