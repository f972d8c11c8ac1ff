import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

/** More than half of what a pack has is of the first. */
const CONTENT = { large: randomBytes(1_000_000).toString('hex'), small: 'b' }
const TEXTS = { 'tree/large': CONTENT.large, 'tree/small': CONTENT.small }

/** A vault of two sinks, a host that maintains it, and one whose packs are damaged on both. */
async function damagedOnAll(
  isDamaged: (sizeBytes: number) => boolean = () => true,
): Promise<{ maintainer: TestVault; writer: TestVault; damaged: string[] }> {
  const maintainer = await TestVault.create(['one', 'two'])
  await maintainer.run([new MemorySource('other', { file: 'content of the other host' })])
  const sink = maintainer.sink('one')
  const before = new Set(sink.keys('packs/'))
  const writer = maintainer.anotherHost()
  await writer.run([new MemorySource('tree', CONTENT)])
  const damaged = sink
    .keys('packs/')
    .filter((key) => !before.has(key) && isDamaged(sink.objects.get(key)?.length ?? 0))
  for (const { objects } of maintainer.sinks) for (const key of damaged) flip(objects, key)
  return { maintainer, writer, damaged }
}

function flip(objects: MemorySink['objects'], key: string): void {
  const bytes = Buffer.from(objects.get(key) ?? '')
  const at = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  objects.set(key, bytes)
}

async function lostTo({ maintainer }: { maintainer: TestVault }): Promise<string[]> {
  await maintainer.verify({ deep: true })
  const { lost } = await maintainer.heal()
  return lost.map(({ key }) => key).sort()
}

test('what is damaged on all sinks is stored again by its host, which has never looked at it itself', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using writer = world.writer
  expect(await lostTo(world)).toEqual(world.damaged)
  await writer.run([new MemorySource('tree', CONTENT)])
  expect(await writer.texts()).toEqual(TEXTS)
  // Also when a prune has gone by meanwhile, and for a host that has lost its state.
  await maintainer.prune({ graceMs: 0 })
  using again = writer.anotherHost()
  await again.run([new MemorySource('tree', CONTENT)])
  await writer.run([new MemorySource('tree', CONTENT)])
  expect(await writer.texts()).toEqual(TEXTS)
})

test('it is said once, for as long as something needs what is damaged', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using writer = world.writer
  await lostTo(world)
  const one = maintainer.sink('one')
  const notices = one.keys('trash/')
  expect(notices).toHaveLength(1)
  await lostTo(world)
  await maintainer.prune({ graceMs: 0 })
  expect(one.keys('trash/')).toEqual(notices)
  expect(one.keys('packs/')).toEqual(expect.arrayContaining(world.damaged))
  await writer.run([new MemorySource('tree', CONTENT)])
  const [newest] = (await maintainer.snapshots())
    .filter(({ hostId }) => hostId === writer.host.hostId)
    .slice(-1)
  await maintainer.prune({ graceMs: 0, keep: [newest?.id ?? ''] })
  await maintainer.prune({ graceMs: 0, keep: [newest?.id ?? ''] })
  expect(one.keys('packs/').filter((key) => world.damaged.includes(key))).toEqual([])
  expect(one.keys('trash/')).toEqual([])
  expect(await maintainer.heal()).toMatchObject({ exitCode: 0 })
})

test('it is taken back when a sink that was away brings what is whole', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using _writer = world.writer
  await lostTo(world)
  // Its bytes, whole again.
  for (const key of world.damaged) flip(maintainer.sink('two').objects, key)
  using another = maintainer.anotherHost()
  expect(await another.heal()).toMatchObject({ exitCode: 0, lost: [] })
  expect(maintainer.sinks.map((sink) => sink.keys('trash/'))).toEqual([[], []])
  expect(await maintainer.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('a healing makes the older snapshots whole by what was stored again, and then needs the damaged no more', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using writer = world.writer
  await lostTo(world)
  await writer.run([new MemorySource('tree', CONTENT)])
  expect(await maintainer.heal()).toMatchObject({ exitCode: 0, lost: [] })
  for (const { id } of await maintainer.snapshots()) await maintainer.read(maintainer.sinks, id)
  for (const sink of maintainer.sinks) {
    expect(sink.keys('packs/').filter((key) => world.damaged.includes(key))).toEqual([])
    expect(sink.keys('trash/')).toEqual([])
  }
  expect(await maintainer.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('a snapshot that has been made whole is brought to the sinks that lack it', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using writer = world.writer
  const two = maintainer.sink('two')
  const shown = two.keys('snapshots/')
  await lostTo(world)
  await writer.run([new MemorySource('tree', CONTENT)])
  for (const key of shown) two.objects.delete(key)
  expect(await maintainer.heal()).toMatchObject({ exitCode: 0, lost: [] })
  expect(two.keys('snapshots/')).toEqual(maintainer.sink('one').keys('snapshots/'))
  for (const { id } of await maintainer.snapshots([two])) await maintainer.read([two], id)
})

test('what its host has no more stays lost, and all else of that snapshot comes back', async () => {
  // Not what it says of the files.
  const world = await damagedOnAll((sizeBytes) => sizeBytes > 500_000)
  using maintainer = world.maintainer
  using writer = world.writer
  await lostTo(world)
  const [first] = (await maintainer.snapshots()).filter(({ hostId }) => hostId === writer.host.hostId)
  await writer.run([new MemorySource('tree', { small: CONTENT.small })])
  const { exitCode, lost } = await maintainer.heal()
  expect([exitCode, lost.map(({ snapshots }) => snapshots)]).toEqual([1, [[first?.key]]])
  const paths = ['tree/small']
  const restored = await maintainer.read(maintainer.sinks, first?.id, { paths })
  expect(String(restored.get('tree/small')?.bytes)).toBe(CONTENT.small)
})

test('a sink that lets nothing be replaced or deleted is left as it is, and no error each time', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using writer = world.writer
  const one = maintainer.sink('one')
  // Sessions come and go also there.
  one.before = (operation, key) => {
    const isKept = one.keys().includes(key) && !key.startsWith('sessions/')
    if ((operation === 'put' && isKept) || (operation === 'delete' && isKept))
      throw one.error('forbidden', key)
  }
  await lostTo(world)
  await writer.run([new MemorySource('tree', CONTENT)])
  for (let times = 0; times < 2; times++) {
    const { sinks } = await maintainer.heal()
    expect(sinks.map(({ name, error }) => [name, error])).toEqual([
      ['one', undefined],
      ['two', undefined],
    ])
    expect(one.keys('trash/')).toHaveLength(1)
  }
  expect(await writer.texts([one])).toEqual(TEXTS)
})

test('a pack that another lies in the place of says nothing of what was in it', async () => {
  const world = await damagedOnAll()
  using maintainer = world.maintainer
  using writer = world.writer
  await writer.run([new MemorySource('tree', { ...CONTENT, more: randomBytes(400_000) })])
  const intact = maintainer.sink('one').keys('packs/')
  const [large = ''] = world.damaged.toSorted((a, b) => sizeOf(maintainer, b) - sizeOf(maintainer, a))
  const other =
    intact.findLast((key) => !world.damaged.includes(key) && sizeOf(maintainer, key) > 300_000) ?? ''
  for (const { objects } of maintainer.sinks) objects.set(large, objects.get(other) ?? Buffer.of())
  await lostTo(world)
  await writer.run([new MemorySource('tree', CONTENT)])
  expect(await maintainer.heal()).toMatchObject({ exitCode: 0, lost: [] })
  for (const { id } of await maintainer.snapshots()) await maintainer.read(maintainer.sinks, id)
  expect(await maintainer.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

function sizeOf(vault: TestVault, key: string): number {
  return vault.sink('one').objects.get(key)?.length ?? 0
}
