import { deriveKeys } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { addGrant, checkGrant, grantKey, openGrant } from './grant.ts'
import { initVault } from './vault-header.ts'

const partner = await deriveKeys(new Uint8Array(32).fill(8))
const stranger = await deriveKeys(new Uint8Array(32).fill(9))
const key = grantKey(partner.publicKey)

async function granted(sinkNames: readonly string[] = ['one', 'two']): Promise<TestVault> {
  const vault = await TestVault.create(sinkNames)
  await grant(vault)
  return vault
}

function grant(vault: TestVault) {
  const { sinks, host, master } = vault
  return addGrant({ sinks, vaultId: host.vaultId, master, recipient: partner.publicKey })
}

function open(vault: TestVault, pair = partner, problems: string[] = []) {
  const { sinks, host } = vault
  const onProblem = ({ message }: Error) => problems.push(message)
  return openGrant({ sinks, pair, vaultId: host.vaultId, onProblem })
}

test('who was granted it has the master, and nobody else', async () => {
  using vault = await granted()
  expect(await open(vault)).toEqual(vault.master)
  expect(await open(vault, stranger)).toBeUndefined()
  for (const { objects } of vault.sinks)
    expect(Buffer.from(objects.get(key) ?? '').includes(Buffer.from(vault.master))).toBe(false)
})

test('from any sink that has it whole; damage is reported', async () => {
  using vault = await granted()
  const object = vault.sink('one').objects.get(key) ?? Buffer.of()
  for (let at = 0; at < object.length; at++) {
    const corrupt = Buffer.from(object)
    corrupt[at] = (corrupt[at] ?? 0) ^ 0x40
    expect(() => checkGrant(vault.keys, key, corrupt)).toThrow('is damaged')
  }
  vault.sink('one').objects.set(key, object.subarray(1))
  const problems: string[] = []
  expect(await open(vault, partner, problems)).toEqual(vault.master)
  expect(problems).toEqual([`${key} is damaged`])
})

test('a grant is that of its own key and vault alone: another in its place is found, and healed', async () => {
  using vault = await granted()
  using forger = await TestVault.create(['one'], 66)
  await grant(forger)
  const { sinks, host, master } = vault
  await addGrant({ sinks, vaultId: host.vaultId, master, recipient: stranger.publicKey })
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  for (const other of [two.objects.get(grantKey(stranger.publicKey)), forger.sink('one').objects.get(key)]) {
    one.objects.set(key, other ?? Buffer.of())
    expect(await vault.verify()).toMatchObject({
      exitCode: 1,
      sinks: [{ problems: [{ key }] }, { state: 'ok' }],
    })
    expect(await vault.heal()).toMatchObject({ exitCode: 0 })
    expect(one.objects.get(key)).toEqual(two.objects.get(key))
  }
})

test('a box that somebody else made is not believed', async () => {
  using vault = await granted(['one'])
  using forger = await TestVault.create(['one'], 66)
  await grant(forger)
  vault.sink('one').objects.set(key, forger.sink('one').objects.get(key) ?? Buffer.of())
  const problems: string[] = []
  expect(await open(vault, partner, problems)).toBeUndefined()
  expect(problems).toEqual([`${key} is not of this vault`])
})

test('granting again changes nothing where it is whole, and repairs what is damaged', async () => {
  using vault = await granted()
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  const object = Buffer.from(one.objects.get(key) ?? '')
  two.objects.set(key, Buffer.from('rot'))
  expect(await grant(vault)).toEqual([
    { sink: 'one', state: 'there' },
    { sink: 'two', state: 'added' },
  ])
  expect(one.objects.get(key)).toEqual(object)
  expect(await vault.verify()).toMatchObject({ exitCode: 0 })
})

test('a sink that fails, and one of another vault, are reported; the others have it', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const other = new MemorySink('other')
  await initVault({ sinks: [other], publicKey: stranger.publicKey })
  const { host, master } = vault
  const results = await addGrant({
    sinks: [...vault.sinks, other],
    vaultId: host.vaultId,
    master,
    recipient: partner.publicKey,
  })
  expect(results.map(({ state, error }) => [state, error?.message])).toEqual([
    ['added', undefined],
    ['added', undefined],
    ['failed', expect.stringContaining('another vault')],
  ])
  expect(other.keys('grants/')).toEqual([])
})

test('what is no public key is refused before anything is written', async () => {
  using vault = await TestVault.create()
  const { sinks, host, master } = vault
  const recipient = new Uint8Array(32)
  await expect(addGrant({ sinks, vaultId: host.vaultId, master, recipient })).rejects.toThrow(TypeError)
  expect(vault.sink('one').keys('grants/')).toEqual([])
})

test('a run brings it to a new sink; where it is unrecoverable heal says so, until it is granted again', async () => {
  using vault = await granted(['one', 'two'])
  vault.sink('two').objects.delete(key)
  await vault.run([new MemorySource('tree', { a: 'the first' })])
  expect(vault.sink('two').objects.get(key)).toEqual(vault.sink('one').objects.get(key))

  for (const { objects } of vault.sinks) objects.set(key, Buffer.from('rot'))
  expect(await vault.verify()).toMatchObject({ exitCode: 1 })
  const problems: string[] = []
  const report = await vault.heal({ onProblem: (_, error) => problems.push(error.message) })
  expect(report.exitCode).toBe(1)
  expect(problems).toContain(`${key} is damaged, and intact on no sink`)
  await grant(vault)
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  expect(await vault.verify()).toMatchObject({ exitCode: 0 })
})
