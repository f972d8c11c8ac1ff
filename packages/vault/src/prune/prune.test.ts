import { randomBytes } from 'node:crypto'
import type { Source } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { openTrash } from '../format/trash-object.ts'
import { VaultSession } from '../store/session.ts'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { codeOf } from '../test-support/outcome.ts'
import { TestVault } from '../test-support/test-vault.ts'

const HOUR_MS = 3_600_000

/** A vault whose sinks' clock is set by the test, and a tree of which a part changes with every run. */
class Case implements Disposable {
  readonly vault: TestVault
  readonly source = new MemorySource('tree', { steady: randomBytes(50_000), changing: randomBytes(200_000) })
  readonly texts = new Map<string, Record<string, string>>()
  #nowMs: { value: number }

  static async create(sinks: readonly string[] = ['one', 'two']): Promise<Case> {
    const clock = { value: Date.parse('2026-01-01T00:00:00Z') }
    return new Case(await TestVault.create(sinks, 7, () => new Date(clock.value)), clock)
  }

  private constructor(vault: TestVault, clock: { value: number }) {
    this.vault = vault
    this.#nowMs = clock
  }

  get now(): () => Date {
    return () => new Date(this.#nowMs.value)
  }

  pass(hours: number): void {
    this.#nowMs.value += hours * HOUR_MS
  }

  /** @returns the ids of the snapshots that were made, an hour apart */
  async run(times: number): Promise<string[]> {
    const ids: string[] = []
    for (let i = 0; i < times; i++) {
      this.pass(1)
      this.source.set('changing', randomBytes(200_000))
      const { snapshot } = await this.vault.run([this.source], { now: this.now })
      if (snapshot === null) throw new Error('no snapshot')
      this.texts.set(snapshot, await this.vault.texts(this.vault.sinks, snapshot))
      ids.push(snapshot)
    }
    return ids
  }

  prune(options: Parameters<TestVault['prune']>[0] = {}) {
    return this.vault.prune({ now: this.now, ...options })
  }

  [Symbol.dispose](): void {
    this.vault[Symbol.dispose]()
  }
}

/** Whatever a sink shows must restore from that sink alone. @returns the ids of what it shows */
async function proven({ vault, texts }: Case, sink: MemorySink): Promise<string[]> {
  const shown = (await vault.snapshots([sink])).map(({ id }) => id)
  for (const id of shown) expect(await vault.texts([sink], id)).toEqual(texts.get(id))
  return shown
}

const bytesOf = (sink: MemorySink) => sink.objects.values().reduce((sum, { length }) => sum + length, 0)

test('snapshots go at once, their packs a day later, and what stays restores from each sink alone', async () => {
  using it = await Case.create()
  // What the first run stored may be in packs with what all snapshots need.
  const ids = await it.run(6)
  const keep = ids.slice(-2)
  const [one] = it.vault.sinks
  if (!one) throw new Error('no sink')
  const before = bytesOf(one)

  const first = await it.prune({ keep })
  expect(first).toMatchObject({ exitCode: 0, removed: ids.slice(0, 4), kept: 2 })
  for (const { packsDeleted, packsCondemned, snapshotsRemoved } of first.sinks)
    expect({ packsDeleted, condemned: packsCondemned > 2, snapshotsRemoved }).toEqual({
      packsDeleted: 0,
      condemned: true,
      snapshotsRemoved: 4,
    })
  expect(bytesOf(one)).toBeGreaterThan(before - 10_000)

  it.pass(23)
  expect((await it.prune({ keep })).sinks.map(({ packsDeleted }) => packsDeleted)).toEqual([0, 0])
  it.pass(2)
  const second = await it.prune({ keep })
  const freed = first.sinks[0]?.bytesCondemned ?? 0
  expect(second.sinks.map(({ bytesFreed }) => bytesFreed)).toEqual([freed, freed])
  expect(freed).toBeGreaterThan(550_000)
  for (const sink of it.vault.sinks) {
    expect(await proven(it, sink)).toEqual(keep)
    expect(bytesOf(sink)).toBeLessThan(before - 550_000)
  }
  expect(one.keys('trash/').length + one.keys('sessions/').length).toBe(0)
  expect(await it.vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('a prune with nothing to do writes nothing', async () => {
  using it = await Case.create()
  await it.run(2)
  await it.prune()
  const one = it.vault.sink('one')
  const keys = one.keys()
  expect(await it.prune()).toMatchObject({ exitCode: 0, removed: [], kept: 2 })
  expect(one.keys()).toEqual(keys)
})

test('--dry-run says what would go, and changes nothing', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  const contents = it.vault.sinks.map((sink) => new Map(sink.objects))
  const dry = await it.prune({ keep: ids.slice(-1), dryRun: true })
  expect(it.vault.sinks.map((sink) => new Map(sink.objects))).toEqual(contents)
  const real = await it.prune({ keep: ids.slice(-1) })
  expect(dry.removed).toEqual(real.removed)
  expect(dry.sinks.map(({ bytesCondemned }) => bytesCondemned)).toEqual(
    real.sinks.map(({ bytesCondemned }) => bytesCondemned),
  )
})

test('without a grace time what nobody can need is deleted at once', async () => {
  using it = await Case.create()
  // What the first run stored may be in packs with what all snapshots need.
  const ids = await it.run(4)
  const report = await it.prune({ keep: ids.slice(-1), graceMs: 0 })
  expect(
    report.sinks.every(({ bytesFreed, packsCondemned }) => bytesFreed > 350_000 && packsCondemned === 0),
  ).toBe(true)
  for (const sink of it.vault.sinks) expect(await proven(it, sink)).toEqual(ids.slice(-1))
})

test('a policy that keeps nothing removes nothing', async () => {
  using it = await Case.create()
  const ids = await it.run(2)
  await expect(it.prune({ keep: [] })).rejects.toMatchObject({ code: 'fault' })
  expect(await proven(it, it.vault.sink('one'))).toEqual(ids)
})

test('a pack that a snapshot written since refers to is not deleted, but pardoned', async () => {
  using it = await Case.create(['one'])
  const [first = ''] = await it.run(1)
  const one = it.vault.sink('one')
  // A backup that looked before the prune and commits after it.
  const { promise: pruned, resolve: goOn } = Promise.withResolvers<void>()
  const { promise: looked, resolve: hasLooked } = Promise.withResolvers<void>()
  it.source.beforeEntry = async () => {
    it.source.beforeEntry = undefined
    hasLooked()
    await pruned
  }
  it.pass(1)
  const running = it.vault.run([it.source], { now: it.now })
  await looked
  it.source.set('changing', 'small')
  const other = new MemorySource('other', { x: 'x' })
  const host = it.vault.anotherHost()
  const { snapshot: keep } = await host.run([other], { now: it.now })
  await it.prune({ keep: [keep ?? ''] })
  expect(one.keys('trash/')).toHaveLength(1)
  goOn()
  const { snapshot } = await running
  it.texts.set(snapshot ?? '', { ...it.texts.get(first) })
  it.pass(30)
  const report = await it.prune({ keep: [keep ?? '', snapshot ?? ''] })
  expect(report.exitCode).toBe(0)
  expect(await it.vault.texts([one], snapshot ?? '')).toEqual(it.texts.get(first))
  expect(await it.vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('a session that goes on holds the deletion up, until it is a day without a sign of life', async () => {
  using it = await Case.create(['one'])
  const ids = await it.run(2)
  const one = it.vault.sink('one')
  await one.put('sessions/00000000000000aa', Buffer.from('of a host that nobody can ask'))
  await it.prune({ keep: ids.slice(-1), graceMs: HOUR_MS })
  it.pass(20)
  expect((await it.prune({ graceMs: HOUR_MS })).sinks[0]?.packsDeleted).toBe(0)
  it.pass(5)
  expect((await it.prune({ graceMs: HOUR_MS })).sinks[0]?.packsDeleted).toBeGreaterThan(0)
  expect(one.keys('sessions/')).toEqual([])
})

test('a removed snapshot that a sink was too far away to lose is not brought back, and goes when the sink is there again', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  const two = it.vault.sink('two')
  const away = () => {
    throw two.error('unreachable')
  }
  two.before = away
  expect(await it.prune({ keep: ids.slice(-1) })).toMatchObject({ exitCode: 3 })
  two.before = undefined
  expect(await it.vault.heal()).toMatchObject({ exitCode: 0 })
  expect(await it.vault.verify()).toMatchObject({ exitCode: 0 })
  expect(await proven(it, it.vault.sink('one'))).toEqual(ids.slice(-1))
  await it.prune({ keep: ids.slice(-1) })
  expect(await proven(it, two)).toEqual(ids.slice(-1))
  it.pass(25)
  await it.prune({ keep: ids.slice(-1) })
  for (const sink of it.vault.sinks) expect(sink.keys('trash/')).toEqual([])
})

test('what reminds of a removed snapshot does not condemn packs any more: a healing may bring them', async () => {
  using it = await Case.create()
  const [first, ...others] = await it.run(2)
  const [one, two] = [it.vault.sink('one'), it.vault.sink('two')]
  two.before = () => {
    throw two.error('unreachable')
  }
  await it.prune({ keep: others })
  it.pass(25)
  await it.prune({ keep: others })
  const trash = one
    .keys('trash/')
    .map((key) => openTrash(it.vault.keys, key, one.objects.get(key) ?? Buffer.of()))
  expect(trash.map(({ packs, snapshots }) => ({ packs, snapshots }))).toEqual([
    { packs: [], snapshots: [first] },
  ])
})

test('a sink that refuses to delete is left intact, reported, and tried again', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  const two = it.vault.sink('two')
  two.before = (operation, key) => {
    if (operation === 'delete' && !key.startsWith('sessions/')) throw two.error('forbidden', key)
  }
  for (let day = 0; day < 4; day++) {
    const reported: string[] = []
    const report = await it.prune({ keep: ids.slice(-1), onProblem: (sink) => reported.push(sink ?? '') })
    expect({ exitCode: report.exitCode, reported: new Set(reported) }).toEqual({
      exitCode: 3,
      reported: new Set(['two']),
    })
    expect(await proven(it, two)).toEqual(ids)
    it.pass(25)
  }
  // Each prune tries again, and none adds to the heap.
  expect(two.keys('trash/').length).toBeLessThan(3)
  two.before = undefined
  await it.prune({ keep: ids.slice(-1) })
  it.pass(25)
  expect(await it.prune({ keep: ids.slice(-1) })).toMatchObject({ exitCode: 0 })
  expect(await proven(it, two)).toEqual(ids.slice(-1))
  expect(two.keys('packs/')).toEqual(it.vault.sink('one').keys('packs/'))
})

test('two prunes at once: no more than one goes on', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  const results = await Promise.allSettled([
    it.prune({ keep: ids.slice(-1) }),
    it.prune({ keep: ids.slice(-1) }),
  ])
  const codes = results.map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'done'))
  expect(codes.filter((code) => code !== 'busy').length).toBeLessThan(2)
  expect(await it.prune({ keep: ids.slice(-1) })).toMatchObject({ exitCode: 0 })
})

test('a sink with a damaged snapshot is not pruned before it is healed: what that needs is not known', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  for (const sink of it.vault.sinks)
    sink.objects.set(sink.keys('snapshots/')[0] ?? '', Buffer.from('rubbish'))
  await expect(it.prune({ keep: ids.slice(-1) })).rejects.toMatchObject({ code: 'corrupt' })
})

test('a damaged trash object keeps its sink from prunes until a run or a heal removes it; what it condemned is condemned again', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  const two = it.vault.sink('two')
  for (const corrupt of [Buffer.alloc(0), Buffer.from('rubbish')]) {
    await it.prune({ keep: ids.slice(-1) })
    const [key = ''] = two.keys('trash/')
    two.objects.set(key, corrupt)
    expect(await it.vault.verify()).toMatchObject({ exitCode: 1, sinks: [{}, { problems: [{ key }] }] })
    expect(await it.prune({ keep: ids.slice(-1) })).toMatchObject({ exitCode: 3 })
    if (corrupt.length > 0) expect(await it.vault.heal()).toMatchObject({ exitCode: 0 })
    else
      expect(await it.vault.run([it.source], { now: it.now })).toMatchObject({
        exitCode: 0,
        sinks: [{}, { healed: 1 }],
      })
    expect(two.keys('trash/')).toEqual([])
    expect(await it.vault.verify()).toMatchObject({ exitCode: 0 })
    expect(await it.vault.run([it.source], { now: it.now })).toMatchObject({ exitCode: 0 })
  }
  await it.prune({ keep: ids.slice(-1) })
  it.pass(25)
  await it.prune({ keep: ids.slice(-1) })
  expect(two.keys('packs/')).toEqual(it.vault.sink('one').keys('packs/'))
  expect(await it.vault.texts([two], ids.at(-1))).toEqual(it.texts.get(ids.at(-1) ?? ''))
})

test.for([false, true])(
  'a run that rests on packs of one sink, which prove rotten, reads again and stores again; piped in once: %s',
  async (once) => {
    using it = await Case.create(['one', 'two', 'three'])
    const three = it.vault.sink('three')
    const there = new MemorySource('tree', {})
    const files = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, randomBytes(300_000)]))
    const run = (source: Source) => {
      it.pass(1)
      return it.vault.run([source], { now: it.now, copies: 2 })
    }
    for (const [name, bytes] of Object.entries(files)) {
      there.set(name, bytes)
      await run(there)
    }
    const packs = three.keys('packs/')
    // One sink is away, and keeps what the others lose; they have forgotten what they have condemned.
    const away = (): void => {
      throw three.error('unreachable')
    }
    for (let i = 0; i < 10; i++) {
      const { snapshot } = await run(new MemorySource('tree', { other: randomBytes(9000) }))
      three.before = away
      await it.prune({ keep: [snapshot ?? ''], graceMs: 0 })
      three.before = undefined
    }
    const left = packs.filter((key) => !it.vault.sink('one').keys().includes(key))
    expect(left.length).toBeGreaterThan(3)
    for (const key of left)
      three.objects.set(key, Buffer.from(three.objects.get(key) ?? '').fill(9, 150, 160))

    const report = await run(
      once ? { name: 'tree', once, entries: (context) => there.entries(context) } : there,
    )
    if (once) {
      expect(report).toMatchObject({ exitCode: 1, copies: 1 })
      // What was seen is not rested on again.
      expect(await run(there)).toMatchObject({ copies: 3 })
    } else expect(report).toMatchObject({ exitCode: 0, copies: 3 })
    for (const sink of it.vault.sinks)
      expect(await it.vault.texts([sink])).toEqual(
        Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`tree/${name}`, bytes.toString()])),
      )
  },
)

test('while a prune goes on a run leaves a damaged trash object, and its sink, alone', async () => {
  using it = await Case.create()
  const ids = await it.run(3)
  const two = it.vault.sink('two')
  await it.prune({ keep: ids.slice(-1) })
  const [key = ''] = two.keys('trash/')
  two.objects.set(key, Buffer.from('rubbish'))
  const record = {
    host: 'other',
    hostId: it.vault.host.hostId,
    started: it.now().toISOString(),
    kind: 'prune',
  } as const
  {
    await using pruning = new VaultSession({ host: it.vault.host, record })
    await pruning.join(two)
    expect(await it.vault.run([it.source], { now: it.now, copies: 1 })).toMatchObject({
      exitCode: 3,
      sinks: [{ state: 'ok' }, { state: 'failed' }],
    })
    expect(two.keys('trash/')).toContain(key)
  }
  expect(await it.vault.run([it.source], { now: it.now })).toMatchObject({ exitCode: 0 })
})

test.for(['prune', 'heal'] as const)(
  'a removed snapshot that rots on a sink that was away is in nobody’s way: %s removes it',
  async (first) => {
    using it = await Case.create()
    const ids = await it.run(3)
    const two = it.vault.sink('two')
    const [key = ''] = two.keys('snapshots/')
    // The other sinks alone: this one is away.
    await it.prune({ keep: ids.slice(-1), sinks: it.vault.sinks.filter((sink) => sink !== two) })
    two.objects.set(key, Buffer.from('rubbish'))
    if (first === 'heal') {
      expect(await it.vault.verify()).toMatchObject({ exitCode: 1 })
      expect(await it.vault.heal()).toMatchObject({ exitCode: 0 })
      expect(two.keys('snapshots/')).not.toContain(key)
      expect(await it.vault.verify()).toMatchObject({ exitCode: 0 })
    }
    expect(await it.prune({ keep: ids.slice(-1) })).toMatchObject({ exitCode: 0 })
    expect(two.keys('snapshots/')).toHaveLength(1)
    expect(await it.vault.verify()).toMatchObject({ exitCode: 0 })
    expect(await it.vault.texts([two], ids.at(-1))).toEqual(it.texts.get(ids.at(-1) ?? ''))
  },
)

test('many small index objects become one', async () => {
  using it = await Case.create()
  await it.run(26)
  expect(it.vault.sink('one').keys('index/')).toHaveLength(26)
  await it.prune()
  for (const sink of it.vault.sinks) expect(sink.keys('index/')).toHaveLength(1)
  const [id = ''] = await it.run(1)
  expect(await it.vault.texts([it.vault.sink('two')], id)).toEqual(it.texts.get(id))
  expect(it.vault.sinkProblems).toEqual([])
})

test('--compact moves what is live, unopened, and every snapshot restores from each sink alone', async () => {
  using it = await Case.create()
  const small = Object.fromEntries(Array.from({ length: 240 }, (_, i) => [`f${i}`, randomBytes(9000)]))
  for (const [path, bytes] of Object.entries(small)) it.source.set(path, bytes)
  const ids: string[] = []
  // Enough that in several packs, which are filled at random, something is live and something is not; far enough from each other that every
  // bundle stays more than half live.
  for (let i = 0; i < 24; i++) {
    it.source.set(`f${i * 10}`, randomBytes(9000))
    ids.push(...(await it.run(1)))
  }
  const one = it.vault.sink('one')
  const keep = ids.slice(-3)
  const firstStored = async () =>
    (await it.vault.snapshots()).flatMap(({ id, storedAt }) =>
      keep.includes(id) ? [storedAt.getTime()] : [],
    )
  const before = await firstStored()
  const packsBefore = one.keys('packs/').length
  const report = await it.prune({ keep, compact: true, graceMs: 0 })
  expect(report.exitCode).toBe(0)
  // They are written again, and no younger for it: what is kept for a week is kept from when it came.
  expect(await firstStored()).toEqual(before)
  expect(report.compacted.from).toBeGreaterThan(report.compacted.into)
  for (const sink of it.vault.sinks) expect(await proven(it, sink)).toEqual(keep)
  expect(await it.vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
  expect(one.keys('packs/').length).toBeLessThan(packsBefore / 2)
  // What comes after finds the chunks where they are now.
  const sent = one.puts.length
  await it.vault.run([it.source], { now: it.now })
  expect(one.puts.slice(sent).filter((key) => key.startsWith('packs/'))).toEqual([])
})

test('what rots on a sink that a compaction did not come to is restored, and healed, from what that made elsewhere', async () => {
  using it = await Case.create(['old', 'new'])
  const old = it.vault.sink('old')
  const ids: string[] = []
  for (let i = 0; i < 9; i++) {
    it.source.set(`f${i}`, randomBytes(1000))
    ids.push(...(await it.run(1)))
  }
  old.before = () => {
    throw old.error('unreachable')
  }
  expect((await it.prune({ compact: true, graceMs: 0 })).compacted.from).toBeGreaterThan(0)
  old.before = undefined
  for (const key of old.keys('packs/'))
    old.objects.set(key, Buffer.from(old.objects.get(key) ?? '').fill(9, 120, 160))

  for (const id of ids) expect(await it.vault.texts(it.vault.sinks, id)).toEqual(it.texts.get(id))
  const deep = await it.vault.verify({ deep: true })
  expect(deep.sinks.map(({ state }) => state)).toEqual(['damaged', 'ok'])
  expect(await it.vault.heal()).toMatchObject({ exitCode: 0, lost: [] })
  expect(await proven(it, old)).toEqual(ids)
  expect(await it.vault.verify({ deep: true })).toMatchObject({ exitCode: 0, lost: [] })
})

test('packs that a healing has brought for a snapshot which is to be replaced stay: a prune that condemned them would keep it from coming', async () => {
  using it = await Case.create(['old', 'new'])
  const [old, compacted] = [it.vault.sink('old'), it.vault.sink('new')]
  const ids: string[] = []
  for (let i = 0; i < 9; i++) {
    it.source.set(`f${i}`, randomBytes(1000))
    ids.push(...(await it.run(1)))
  }
  old.before = () => {
    throw old.error('unreachable')
  }
  expect((await it.prune({ compact: true, graceMs: 0 })).compacted.from).toBeGreaterThan(0)
  await it.prune({ graceMs: 0 })
  old.before = undefined
  // What it has of each snapshot needs packs that are on no sink any more; the healing that was to replace it was killed.
  for (const key of old.keys('packs/')) if (!compacted.objects.get(key)) old.objects.delete(key)
  for (const key of compacted.keys('packs/')) old.objects.set(key, compacted.objects.get(key) ?? Buffer.of())
  await it.prune()
  expect(await it.vault.heal({ now: it.now })).toMatchObject({ exitCode: 0, lost: [] })
  expect(await proven(it, old)).toEqual(ids)
})

test('a run that slept while a prune took it for dead shows nothing that rests on what was deleted', async () => {
  using it = await Case.create()
  const steady = randomBytes(50_000)
  const before = await it.vault.run([new MemorySource('tree', { steady })], { now: it.now })
  const after = await it.vault.run([new MemorySource('tree', { other: 'text' })], { now: it.now })
  expect([before.exitCode, after.exitCode]).toEqual([0, 0])
  using other = it.vault.anotherHost()
  const sleepy = new MemorySource('tree', { steady })
  sleepy.beforeEntry = async () => {
    const keep = [after.snapshot ?? '']
    await other.prune({ now: it.now, keep })
    it.pass(25)
    expect(await other.prune({ now: it.now, keep })).toMatchObject({ exitCode: 0 })
  }
  const slept = await it.vault.run([sleepy], { now: it.now })
  expect(slept).toMatchObject({ exitCode: 1, snapshot: null, copies: 0 })
  sleepy.beforeEntry = undefined
  expect(await it.vault.run([sleepy], { now: it.now })).toMatchObject({ exitCode: 0 })
  for (const sink of it.vault.sinks) {
    expect(await it.vault.texts([sink])).toEqual({ 'tree/steady': steady.toString() })
    expect(await it.vault.snapshots([sink])).toHaveLength(2)
  }
})
