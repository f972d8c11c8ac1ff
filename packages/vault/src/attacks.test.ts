import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { encodeIndex, openIndex } from './format/index-object.ts'
import {
  decodeFooterContent,
  decodePackHeader,
  encodeFooterContent,
  footerBytes,
  packKey,
  writePackFooter,
} from './format/pack-format.ts'
import { sealObject } from './format/sealed-object.ts'
import { openSnapshotHead, sealSnapshot, snapshotIdOf, snapshotKey } from './format/snapshot-object.ts'
import { newTrashKey, sealTrash } from './format/trash-object.ts'
import { createVaultHost, type VaultHost } from './format/vault-host.ts'
import { MemorySource } from './test-support/memory-source.ts'
import { forgerOf } from './test-support/test-host.ts'
import { TestVault } from './test-support/test-vault.ts'

const SINKS = ['one', 'two']

/** What thieves have: the index key alone, as any host's key file has it; the key of a host that may write; that of one that maintains. */
const THIEVES: Record<string, (vault: TestVault) => VaultHost | Promise<VaultHost>> = {
  'the index key': (vault) => forgerOf(createVaultHost(vault.keys)),
  'the key of a host that may write': (vault) => createVaultHost(vault.keys, 'write'),
  'the key of a host that maintains': (vault) => createVaultHost(vault.keys),
}

async function vaultOf(files: number): Promise<{ vault: TestVault; source: MemorySource; ids: string[] }> {
  const vault = await TestVault.create(SINKS)
  const source = new MemorySource(
    'tree',
    Object.fromEntries(Array.from({ length: files }, (_, i) => [`f${i}`, randomBytes(200_000)])),
  )
  const ids: string[] = []
  for (let i = 0; i < 3; i++) {
    source.set('changing', randomBytes(1000))
    ids.push((await vault.run([source])).snapshot ?? '')
  }
  return { vault, source, ids }
}

async function expectAllThere(vault: TestVault, ids: readonly string[]): Promise<void> {
  for (const sink of vault.sinks)
    expect((await vault.snapshots([sink])).map(({ id }) => id).sort()).toEqual([...ids].sort())
  expect(await vault.verify({ deep: true })).toMatchObject({ lost: [] })
}

test.for(Object.keys(THIEVES))(
  'a thief with %s who plants trash that names all snapshots and packs takes none of them',
  async (thief) => {
    const { vault, source, ids } = await vaultOf(3)
    using _ = vault
    const forger = await THIEVES[thief]?.(vault)
    const one = vault.sink('one')
    const trash = {
      packs: one.keys('packs/').map((key) => key.slice(-64)),
      snapshots: ids,
      sessions: [],
    }
    const key = newTrashKey(new Date(0))
    one.objects.set(key, sealTrash(forger ?? vault.host, key, new Date(0), trash))

    // Whoever maintains the vault may condemn: the policy saves what it keeps all the same.
    const isGenuine = thief.includes('maintains')
    if (!isGenuine) expect(await vault.verify()).toMatchObject({ exitCode: 1 })
    const pruned = await vault.prune({ keep: ids, graceMs: 0 })
    expect(pruned).toMatchObject({ removed: [], kept: 3, sinks: [{ state: 'pruned' }, { state: 'pruned' }] })
    await expectAllThere(vault, ids)
    await vault.heal()
    const { snapshot } = await vault.run([source])
    await vault.prune({ keep: [...ids, snapshot ?? ''], graceMs: 0 })
    await expectAllThere(vault, [...ids, snapshot ?? ''])
    expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
  },
)

test.for(Object.keys(THIEVES))(
  'a thief with %s whose index says that packs have fewer chunks makes no compaction cut live ones',
  async (thief) => {
    const { vault, ids } = await vaultOf(20)
    using _ = vault
    const forger = (await THIEVES[thief]?.(vault)) ?? vault.host
    const one = vault.sink('one')
    const [honest = ''] = one.keys('index/')
    const packs = openIndex(vault.keys, honest, one.objects.get(honest) ?? Buffer.of()).map((pack) => {
      const { hostId, chunks } = decodeFooterContent(pack.footer)
      return { ...pack, footer: encodeFooterContent({ hostId, chunks: chunks.slice(0, 1) }) }
    })
    // Before the honest ones in each listing.
    const key = `index/${'0'.repeat(32)}`
    for (const sink of vault.sinks) sink.objects.set(key, sealObject(forger, key, encodeIndex(packs)))
    using elsewhere = await TestVault.create()
    await vault.prune({ keep: ids, compact: true, graceMs: 0, stateDirectory: elsewhere.stateDirectory })
    for (const sink of vault.sinks)
      for (const id of ids) expect(Object.keys(await vault.texts([sink], id))).toHaveLength(21)
  },
)

test.for(Object.keys(THIEVES).slice(0, 2))(
  'a thief with %s who plants a pack in the name of a host makes that host rest on nothing',
  async (thief) => {
    using vault = await TestVault.create(SINKS)
    const forger = (await THIEVES[thief]?.(vault)) ?? vault.host
    const source = new MemorySource('tree', { file: 'what is to be stored' })
    // Of what the host will store the thief knows the ids, and gives them to bytes that nobody can open.
    using other = vault.anotherHost()
    await other.run([source])
    const one = vault.sink('one')
    for (const key of one.keys('packs/')) {
      const pack = one.objects.get(key) ?? Buffer.of()
      const { length } = decodePackHeader(pack)
      const [index = ''] = one.keys('index/')
      const listed = openIndex(vault.keys, index, one.objects.get(index) ?? Buffer.of())
      const { chunks } = decodeFooterContent(
        listed.find(({ name }) => key.endsWith(name))?.footer ?? Buffer.of(),
      )
      const content = encodeFooterContent({ hostId: Buffer.from(vault.host.hostId, 'hex'), chunks })
      const end = Math.max(...chunks.map(({ offset, length: bytes }) => offset + bytes))
      const forged = Buffer.alloc(end + footerBytes(chunks.length))
      forged.set(pack.subarray(0, length))
      writePackFooter(forger, forged.subarray(0, length), content, forged, end)
      for (const sink of vault.sinks)
        sink.objects.set(packKey(createHash('sha256').update(forged).digest('hex')), forged)
    }
    expect(await vault.run([source])).toMatchObject({ copies: 2 })
    expect(vault.sinkProblems).toContainEqual(
      expect.objectContaining({
        error: expect.objectContaining({ message: expect.stringContaining('forged') }),
      }),
    )
    const { snapshot } = await vault.run([source])
    for (const sink of vault.sinks)
      expect(await vault.texts([sink], snapshot ?? '')).toEqual({ 'tree/file': 'what is to be stored' })
    expect(await vault.heal()).toMatchObject({ exitCode: 0 })
    expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
  },
)

test.for(Object.keys(THIEVES).slice(0, 2))(
  'a thief with %s makes no snapshot in the name of another host, and replaces none',
  async (thief) => {
    const { vault, ids } = await vaultOf(1)
    using _ = vault
    const forger = (await THIEVES[thief]?.(vault)) ?? vault.host
    const [one, two] = vault.sinks
    const [key = ''] = one?.keys('snapshots/') ?? []
    const head = openSnapshotHead(vault.keys, key, one?.objects.get(key) ?? Buffer.of())
    const newer = snapshotKey(new Date(Date.now() + 3_600_000), '00000000000000aa')
    one?.objects.set(newer, sealSnapshot(forger, newer, { ...head, id: snapshotIdOf(newer) ?? '' }))
    one?.objects.set(key, sealSnapshot(forger, key, { ...head, sources: [] }))
    const problems: Error[] = []
    const found = await vault.snapshots(vault.sinks, { onProblem: (error) => problems.push(error) })
    expect(found.map(({ id }) => id)).toEqual(ids)
    expect(problems).toHaveLength(2)
    const { sinks } = await vault.verify()
    expect(sinks[0]?.problems.map(({ key: bad }) => bad).sort()).toEqual([key, newer].sort())
    await vault.heal()
    expect(one?.objects.get(key)).toEqual(two?.objects.get(key))
  },
)

test.for([1, 2])(
  'a provider that rolls one of %i sinks back to yesterday is found out by verify, and by the next run',
  async (sinks) => {
    using vault = await TestVault.create(SINKS.slice(0, sinks))
    const source = new MemorySource('tree', { file: 'a file' })
    await vault.run([source])
    const one = vault.sink('one')
    const yesterday = new Map(one.objects)
    const { snapshot } = await vault.run([source])
    one.objects.clear()
    for (const [key, bytes] of yesterday) one.objects.set(key, bytes)

    const report = await vault.verify()
    expect(report.exitCode).toBe(1)
    const [problem] = report.sinks[0]?.problems ?? []
    expect([problem?.key.slice(-16), problem?.message]).toEqual([
      snapshot,
      expect.stringContaining('was stored by this host and is not there any more: it was rolled back'),
    ])
    expect(await vault.run([source])).toMatchObject({ exitCode: 3, copies: sinks })
    expect(vault.sinkProblems).toContainEqual({
      sink: 'one',
      error: expect.objectContaining({ message: expect.stringContaining('it was rolled back') }),
    })
    // It has been said, and the newest is there again.
    expect(await vault.run([source])).toMatchObject({ exitCode: 0 })
    expect(await vault.verify()).toMatchObject({ exitCode: 0 })
  },
)

test.for(['empty', 'rubbish', 'of a host that another phrase certified', 'left by a run that was killed'])(
  'a session that is %s, and of 2037, hides no missing snapshot, and keeps no pack from being deleted for ever',
  async (kind) => {
    const { vault, ids } = await vaultOf(1)
    using _ = vault
    const key = `sessions/${'ab'.repeat(8)}`
    const host = kind.startsWith('of') ? await forgerOf(vault.host) : vault.host
    const record = {
      version: 1,
      host: 'h',
      hostId: host.hostId,
      started: new Date(0).toISOString(),
      kind: 'backup',
    }
    const object = kind === 'empty' ? Buffer.of() : sealObject(host, key, Buffer.from(JSON.stringify(record)))
    for (const sink of vault.sinks)
      sink.objects.set(key, kind === 'rubbish' ? Buffer.from('rubbish') : object, new Date('2037-01-01'))
    const [newest = ''] = vault.sink('two').keys('snapshots/').slice(-1)
    vault.sink('two').objects.delete(newest)
    expect(await vault.verify()).toMatchObject({ exitCode: 1 })
    await vault.heal()
    await vault.prune({ keep: ids.slice(-1), graceMs: 0 })
    for (const sink of vault.sinks) expect(sink.keys('sessions/')).toEqual([])
  },
)

test('a sink whose listing trickles and never ends holds no run up: the others go on', async () => {
  using vault = await TestVault.create(SINKS)
  const source = new MemorySource('tree', { file: 'a file' })
  await vault.run([source])
  const two = vault.sink('two')
  two.list = async function* (prefix: string, { signal }: { readonly signal?: AbortSignal | undefined }) {
    for (let i = 0; ; i++) {
      await delay(5, undefined, { signal })
      yield { key: `${prefix}${i.toString(16).padStart(32, '0')}`, sizeBytes: 1, storedAt: new Date() }
    }
  }
  const report = await vault.run([source], { copies: 1, answerWithinMs: 500 })
  expect(report).toMatchObject({ exitCode: 3, sinks: [{ state: 'ok' }, { state: 'failed' }] })
  expect(report.sinks[1]?.error).toMatch(/^sink "two" has not said within .* what it holds$/)
})

test('a sink that gives an index byte by byte, for ever, is left behind in what it alone knows', async () => {
  using vault = await TestVault.create(SINKS)
  const source = new MemorySource('tree', { file: 'what is to be stored' })
  await vault.run([source])
  const slow = vault.sink('two')
  const get = slow.get.bind(slow)
  slow.get = async (key, options) => {
    if (!key.startsWith('index/')) return get(key, options)
    const { promise, reject } = Promise.withResolvers<never>()
    options?.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true })
    return await promise
  }
  vault.sink('one').objects.delete(vault.sink('one').keys('index/')[0] ?? '')
  source.set('file', 'another')
  const report = await vault.run([source], { answerWithinMs: 300 })
  expect(report.snapshot).not.toBeNull()
  expect(vault.sinkProblems.map(({ error }) => error.message).join()).toMatch(
    /"two" has not said within .* what index\/.* is/,
  )
  expect((await vault.texts([vault.sink('one')]))['tree/file']).toBe('another')
})
