import { expect, test } from 'vitest'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

/** A vault of two sinks, whose snapshot is on the first alone, and was damaged there when it was read last. */
async function suspected(): Promise<{
  vault: TestVault
  damaged: { sink: string; key: string; why: 'corrupt' }[]
}> {
  const vault = await TestVault.create(['one', 'two'])
  await vault.run([new MemorySource('tree', { file: 'content' })])
  const [key = ''] = vault.sink('one').keys('snapshots/')
  vault.sink('two').objects.delete(key)
  return { vault, damaged: [{ sink: 'one', key, why: 'corrupt' }] }
}

test('a snapshot that was falsely found damaged is brought to the others', async () => {
  const { vault, damaged } = await suspected()
  using _ = vault
  expect(await vault.heal({ damaged })).toMatchObject({ exitCode: 0 })
  expect(vault.sink('two').keys('snapshots/')).toEqual(vault.sink('one').keys('snapshots/'))
})

test('a snapshot that was falsely found damaged, and needs what no sink has, makes no sink level', async () => {
  const { vault, damaged } = await suspected()
  using _ = vault
  const [pack = ''] = vault.sink('one').keys('packs/')
  for (const name of ['one', 'two']) vault.sink(name).objects.delete(pack)
  const report = await vault.heal({ damaged })
  expect(report).toMatchObject({ exitCode: 1, lost: [{ key: pack, snapshots: [damaged[0]?.key] }] })
})
