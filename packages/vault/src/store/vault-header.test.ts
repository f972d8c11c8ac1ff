import { deriveKeys, vaultIdOf } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { MemorySink } from '../test-support/memory-sink.ts'
import { codeOf, flips, truncations } from '../test-support/outcome.ts'
import { findVault, initVault, readVaultHeader, requireVault } from './vault-header.ts'

const [ours, theirs] = await Promise.all(
  [1, 2].map(async (n) => (await deriveKeys(new Uint8Array(32).fill(n))).publicKey),
)
if (!ours || !theirs) throw new Error('no keys')

async function sinkWith(publicKey: Uint8Array, name = 'one'): Promise<MemorySink> {
  const sink = new MemorySink(name)
  await initVault({ sinks: [sink], publicKey })
  return sink
}

function sinkHolding(text: string | Uint8Array): MemorySink {
  const sink = new MemorySink('one')
  sink.objects.set('vault.json', Buffer.from(text))
  return sink
}

test('what init writes is read', async () => {
  const sink = await sinkWith(ours)
  expect(await readVaultHeader(sink)).toEqual({ id: vaultIdOf(ours), publicKey: Uint8Array.from(ours) })
  expect(await readVaultHeader(new MemorySink('empty'))).toBeUndefined()
  await expect(requireVault(sink, vaultIdOf(ours))).resolves.toBeUndefined()
})

test('flipping any byte, or cutting anywhere, gives the same vault or an error that names the file', async () => {
  const bytes = (await sinkWith(ours)).objects.get('vault.json') ?? Buffer.alloc(0)
  const outcomes = new Set<string>()
  for (const { damaged } of [...flips(bytes), ...truncations(bytes)]) {
    try {
      const header = await readVaultHeader(sinkHolding(damaged))
      expect(header?.id).toBe(vaultIdOf(ours))
    } catch (error) {
      outcomes.add(codeOf(error))
      expect(error).toMatchObject({ sink: 'one', key: 'vault.json' })
    }
  }
  expect([...outcomes]).toEqual(['not-a-vault'])
})

test.for(['"2"', '{"toString":1,"valueOf":1}', '"1\\n"', '[[]]', 'null'])(
  'a version of %s is none, and no error but ours says so',
  async (version) => {
    const sink = sinkHolding(`{"format":"pipe-backup vault","version":${version}}`)
    const message = 'sink "one": vault.json does not say its version'
    await expect(readVaultHeader(sink)).rejects.toMatchObject({ code: 'not-a-vault', message })
  },
)

test.for(['null', '[]', '7', '"x"', '{}', '{"format":"pipe-backup vault","version":1}', '', '{"format":'])(
  'a vault.json of %j is not that of a vault',
  async (text) => {
    await expect(readVaultHeader(sinkHolding(text))).rejects.toMatchObject({ code: 'not-a-vault' })
  },
)

test('a vault of a later version says which, and what to do', async () => {
  const publicKey = Buffer.from(ours).toString('hex')
  const header = { format: 'pipe-backup vault', version: 2, id: vaultIdOf(ours, 2), publicKey }
  const sink = sinkHolding(JSON.stringify(header))
  await expect(readVaultHeader(sink)).rejects.toMatchObject({
    code: 'unsupported-version',
    message: 'sink "one": the vault has version 2',
    hint: expect.stringContaining('update'),
  })
})

test("another vault's sink is refused, and nothing written anywhere", async () => {
  const [full, empty] = [await sinkWith(theirs, 'theirs'), new MemorySink('empty')]
  await expect(requireVault(full, vaultIdOf(ours))).rejects.toMatchObject({
    code: 'not-a-vault',
    sink: 'theirs',
  })
  await expect(requireVault(empty, vaultIdOf(ours))).rejects.toMatchObject({
    code: 'not-a-vault',
    sink: 'empty',
  })
  await expect(initVault({ sinks: [empty, full], publicKey: ours })).rejects.toMatchObject({
    code: 'not-a-vault',
  })
  expect([...empty.objects]).toEqual([])
  await expect(findVault({ sinks: [await sinkWith(ours), full] })).rejects.toMatchObject({
    code: 'not-a-vault',
  })
})

test('init joins what is there, makes what is not, and reports the sink that fails', async () => {
  const [there, fresh, away] = [
    await sinkWith(ours, 'there'),
    new MemorySink('fresh'),
    new MemorySink('away'),
  ]
  away.before = () => {
    throw away.error('unreachable')
  }
  const made = await initVault({ sinks: [there, fresh, away], publicKey: ours })
  expect(made.map(({ sink, state }) => [sink, state])).toEqual([
    ['there', 'joined'],
    ['fresh', 'created'],
    ['away', 'failed'],
  ])
  const problems: Error[] = []
  const found = await findVault({ sinks: [away, there, fresh], onProblem: (error) => problems.push(error) })
  expect(found?.sinks).toEqual(['there', 'fresh'])
  expect(problems.map(codeOf)).toEqual(['unreachable'])
  await expect(findVault({ sinks: [away] })).rejects.toMatchObject({ code: 'unreachable' })
  expect(await findVault({ sinks: [new MemorySink('empty')] })).toBeUndefined()
})

test('a sink that shows another vault does not hide the wanted one on the others', async () => {
  const sinks = [await sinkWith(theirs, 'forged'), await sinkWith(ours, 'good')]
  const problems: unknown[] = []
  const onProblem = (error: Error) => problems.push(error)
  expect(await findVault({ sinks, wanted: vaultIdOf(ours), onProblem })).toMatchObject({
    id: vaultIdOf(ours),
    sinks: ['good'],
  })
  expect(problems).toEqual([expect.objectContaining({ code: 'not-a-vault', sink: 'forged' })])
  await expect(findVault({ sinks, wanted: 'f'.repeat(32) })).rejects.toMatchObject({ code: 'not-a-vault' })
  expect(await findVault({ sinks: sinks.slice(1), wanted: 'f'.repeat(32) })).toMatchObject({
    id: vaultIdOf(ours),
  })
})
