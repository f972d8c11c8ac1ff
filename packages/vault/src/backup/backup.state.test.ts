import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { sealObject } from '../format/sealed-object.ts'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

const LARGE = randomBytes(400_000)
const tree = () => new MemorySource('tree', { a: 'the first', 'd/b': 'the second', large: LARGE })
const TEXTS = { 'tree/a': 'the first', 'tree/d/b': 'the second', 'tree/large': LARGE.toString() }

test('with the local state lost every file is read, and nothing is stored twice', async () => {
  using vault = await TestVault.create()
  await vault.run([tree()])
  rmSync(vault.stateDirectory, { recursive: true })
  const again = await vault.run([tree()])
  expect(again.sources[0]).toMatchObject({ bytesRead: 400_019, bytesNew: 0 })
  expect(again.bytesStored).toBe(0)
  expect(await vault.texts()).toEqual(TEXTS)
})

test('state that is damaged, of another vault, or no state at all, costs reading and nothing else', async () => {
  using vault = await TestVault.create()
  using other = await TestVault.create(['one'], 8)
  await other.run([tree()])
  await vault.run([tree()])
  const files = [
    'files.db',
    ...readdirSync(join(vault.stateDirectory, 'index')).map((name) => `index/${name}`),
  ]
  const spoil: ((path: string) => void)[] = [
    (path) => writeFileSync(path, 'rubbish'.repeat(1000)),
    (path) => writeFileSync(path, ''),
    (path) => writeFileSync(path, readFileSync(path).subarray(0, 5000)),
    (path) => writeFileSync(path, readFileSync(path).fill(0x55, 4096)),
    () =>
      writeFileSync(
        join(vault.stateDirectory, 'files.db'),
        readFileSync(join(other.stateDirectory, 'files.db')),
      ),
    () => writeFileSync(join(vault.stateDirectory, 'index', 'a name of no index'), 'x'),
  ]
  for (const [i, act] of spoil.entries()) {
    for (const file of files) act(join(vault.stateDirectory, file))
    const source = tree()
    const report = await vault.run([source])
    expect([i, report.exitCode, report.sources[0]?.bytesNew]).toEqual([i, 0, 0])
    expect(await vault.texts()).toEqual(TEXTS)
    source.opened.length = 0
    await vault.run([source])
    expect([i, source.opened]).toEqual([i, []])
  }
})

test('where no state can be written, as on a full disk, every file is read and stored, and what sinks lost is reported', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const file = join(vault.stateDirectory, 'file')
  writeFileSync(file, '')
  const stateDirectory = join(file, 'state')
  const one = vault.sink('one')
  one.after = (operation, key) => {
    if (operation === 'put' && key.startsWith('packs/')) one.objects.delete(key)
  }
  const report = await vault.run([tree()], { stateDirectory, copies: 1 })
  one.after = undefined
  expect(report.sinks.map(({ state }) => state)).toEqual(['failed', 'ok'])
  expect(report).toMatchObject({ exitCode: 3, copies: 1 })
  expect(vault.sinkProblems[0]).toMatchObject({
    sink: undefined,
    error: { message: expect.stringMatching(/files\.db can't be used, so every file is read: /) },
  })
  expect(await vault.texts([vault.sink('two')])).toEqual(TEXTS)
  expect(await vault.heal({ stateDirectory })).toMatchObject({ exitCode: 0 })
  expect(await vault.run([tree()], { stateDirectory })).toMatchObject({ exitCode: 0, bytesStored: 0 })
  one.objects.set(one.keys('packs/')[0] ?? '', randomBytes(900))
  expect(await vault.verify({ stateDirectory })).toMatchObject({ exitCode: 1 })
})

test('state of a newer sink than there is now is not believed: chunks that no sink has are read and stored again', async () => {
  using vault = await TestVault.create()
  const source = tree()
  const before = new Map(vault.sink('one').objects)
  await vault.run([source])
  vault.sink('one').objects.clear()
  for (const [key, bytes] of before) vault.sink('one').objects.set(key, bytes)
  source.opened.length = 0
  await vault.run([source])
  expect(source.opened).toEqual(['a', 'd/b', 'large'])
  expect(await vault.texts()).toEqual(TEXTS)
})

test('two hosts share one vault, and each rests on its own packs alone', async () => {
  using first = await TestVault.create()
  using second = first.anotherHost()
  await first.run([tree()])
  const packsOfFirst = new Set((await first.snapshots())[0]?.head.packs.map(([name]) => name))
  const report = await second.run([tree()])
  expect(report.sources[0]?.bytesNew).toBeGreaterThan(400_000)
  const [, ofSecond] = await first.snapshots()
  expect(ofSecond?.hostId).toBe(second.host.hostId)
  expect(ofSecond?.head.packs.filter(([name]) => packsOfFirst.has(name))).toEqual([])
  expect((await first.run([tree()])).bytesStored).toBe(0)
  expect((await second.run([tree()])).bytesStored).toBe(0)
  expect(await first.snapshots()).toHaveLength(4)
  for (const { id } of await first.snapshots()) expect(await first.texts(first.sinks, id)).toEqual(TEXTS)
})

test('two hosts at the same time do not disturb each other', async () => {
  using first = await TestVault.create(['one', 'two'])
  using second = first.anotherHost()
  const reports = await Promise.all([first.run([tree()]), second.run([tree()])])
  expect(reports.map(({ exitCode, copies }) => [exitCode, copies])).toEqual([
    [0, 2],
    [0, 2],
  ])
  for (const sink of first.sinks)
    for (const { id } of await first.snapshots([sink])) expect(await first.texts([sink], id)).toEqual(TEXTS)
})

test('packs that a prune has condemned are not rested on: what is in them is stored again', async () => {
  using vault = await TestVault.create(['one', 'two'])
  await vault.run([tree()])
  const condemned = vault
    .sink('one')
    .keys('packs/')
    .map((key) => key.slice(9))
  const key = 'trash/20261123t100000z-0123456789abcdef'
  const trash = { version: 1, time: '2026-11-23T10:00:00.000Z', packs: condemned, sessions: [] }
  vault.sink('two').objects.set(key, sealObject(vault.host, key, Buffer.from(JSON.stringify(trash))))
  await vault.run([tree()])
  const latest = (await vault.snapshots()).at(-1)
  expect(latest?.head.packs.filter(([name]) => condemned.includes(name))).toEqual([])
  for (const sink of vault.sinks) {
    for (const name of condemned) sink.objects.delete(`packs/${name.slice(0, 2)}/${name}`)
    expect(await vault.texts([sink])).toEqual(TEXTS)
  }
})

test('an extra recipient opens what was stored since it was added, with its own pair', async () => {
  using vault = await TestVault.create()
  const recipient = await deriveKeys(new Uint8Array(32).fill(77))
  const host = { ...vault.host, recipients: [recipient.publicKey] }
  await vault.run([tree()], { host })
  expect(await vault.texts()).toEqual(TEXTS)
  Object.assign(vault.keys, { publicKey: recipient.publicKey, secretKey: recipient.secretKey })
  expect(await vault.texts()).toEqual(TEXTS)
})

/** A run that is stopped at some moment, and what it leaves behind. */
async function stopped(
  when: (vault: TestVault, source: MemorySource, stop: () => void) => void,
): Promise<TestVault> {
  const vault = await TestVault.create(['one', 'two'])
  const source = tree()
  const controller = new AbortController()
  when(vault, source, () => controller.abort(new Error('stopped by hand')))
  await expect(vault.run([source], { signal: controller.signal })).rejects.toThrow('stopped by hand')
  for (const sink of vault.sinks) sink.before = undefined
  return vault
}

const atPut = (prefix: string, name: string) => (vault: TestVault, _: MemorySource, stop: () => void) => {
  const sink: MemorySink = vault.sink(name)
  sink.before = (operation, key) => {
    if (operation === 'put' && key.startsWith(prefix)) stop()
  }
}

test.for<[string, Parameters<typeof stopped>[0], reused?: boolean]>([
  ['before anything', (_vault, _source, stop) => stop()],
  [
    'while a sink is listed',
    (vault, _, stop) =>
      void (vault.sink('two').before = (operation) => void (operation === 'list' && stop())),
  ],
  [
    'while a source is read',
    (_, source, stop) => void (source.beforeEntry = (path) => void (path === 'large' && stop())),
  ],
  ['while packs are sent', atPut('packs/', 'one')],
  ['while the index is put', atPut('index/', 'two'), true],
  ['while the first snapshot is put', atPut('snapshots/', 'one'), true],
])(
  'a run that is aborted %s leaves nothing half-visible, and the next one finishes',
  async ([, when, reused]) => {
    using vault = await stopped(when)
    expect(vault.sinks.flatMap((sink) => sink.keys('sessions/'))).toEqual([])
    for (const sink of vault.sinks)
      for (const { id } of await vault.snapshots([sink])) expect(await vault.texts([sink], id)).toEqual(TEXTS)
    const report = await vault.run([tree()])
    expect(report).toMatchObject({ exitCode: 0, copies: 2 })
    // What had arrived is used again, though no index lists it.
    if (reused) expect(report.sources[0]?.bytesNew).toBe(0)
    for (const sink of vault.sinks) expect(await vault.texts([sink])).toEqual(TEXTS)
  },
)

test('nothing of names, contents or keys is in any object, nor in the local state', async () => {
  using vault = await TestVault.create()
  const secret = 'seven small foxes'
  const source = new MemorySource(secret, {
    [`${secret}.txt`]: `${secret} `.repeat(20),
    'x/link': { type: 'symlink', target: secret },
  })
  await vault.run([source])
  mkdirSync(vault.stateDirectory, { recursive: true })
  const local = readdirSync(vault.stateDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
  const everything = Buffer.concat([...vault.sink('one').objects.values(), ...local])
  expect(everything.length).toBeGreaterThan(1000)
  const { idKey, indexKey, secretKey, rootSeed } = vault.keys
  for (const needle of [Buffer.from(secret), idKey, indexKey, secretKey, rootSeed, vault.host.signer.seed])
    expect(everything.includes(Buffer.from(needle))).toBe(false)
})
