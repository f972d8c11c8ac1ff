import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { markIdOf, newMarkKey, sealMark } from '../format/mark-object.ts'
import { createVaultHost, type VaultHost } from '../format/vault-host.ts'
import { VaultSession } from '../store/session.ts'
import type { SnapshotInfo } from '../store/snapshots.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { codeOf } from '../test-support/outcome.ts'
import { forgerOf } from '../test-support/test-host.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { type MarkChange, markSnapshot } from './mark-snapshot.ts'

const SINKS = ['one', 'two']
const HOUR_MS = 3_600_000

interface Case extends Disposable {
  readonly vault: TestVault
  readonly source: MemorySource
  /** Oldest first. */
  readonly ids: readonly string[]
  readonly snapshots: readonly SnapshotInfo[]
  /** Marks the oldest. */
  readonly mark: (change: MarkChange, host?: VaultHost) => ReturnType<typeof markSnapshot>
}

/** A vault with three snapshots. */
async function open(): Promise<Case> {
  const vault = await TestVault.create(SINKS)
  const source = new MemorySource('tree', { steady: randomBytes(50_000) })
  const ids: string[] = []
  const beginMs = Date.now() - 5 * HOUR_MS
  for (let i = 0; i < 3; i++) {
    source.set('changing', randomBytes(1000))
    const { snapshot } = await vault.run([source], { now: () => new Date(beginMs + i * HOUR_MS) })
    ids.push(snapshot ?? '')
  }
  const snapshots = await vault.snapshots()
  const mark = (change: MarkChange, host = vault.host) => {
    const [snapshot] = snapshots
    if (!snapshot) throw new Error('no snapshot')
    return markSnapshot({ host, sinks: vault.sinks, snapshot, change })
  }
  return { vault, source, ids, snapshots, mark, [Symbol.dispose]: () => vault[Symbol.dispose]() }
}

const keysOf = (vault: TestVault): string[][] => vault.sinks.map((sink) => sink.keys('marks/'))

async function idsOf(vault: TestVault): Promise<string[]> {
  return (await vault.snapshots()).map(({ id }) => id)
}

test('a pinned snapshot stays, whatever is chosen to go, until it is unpinned', async () => {
  using opened = await open()
  const { vault, ids, mark } = opened
  expect(await mark({ pinned: true })).toMatchObject({
    isChanged: true,
    exitCode: 0,
    marks: { pinned: true },
  })
  expect(await mark({ pinned: true })).toMatchObject({ isChanged: false, exitCode: 0 })
  const dry = await vault.prune({ keep: ids.slice(2), dryRun: true })
  const pruned = await vault.prune({ keep: ids.slice(2), graceMs: 0 })
  for (const report of [dry, pruned])
    expect(report).toMatchObject({ removed: [ids[1]], kept: 2, pinned: [ids[0]], exitCode: 0 })
  expect(await idsOf(vault)).toEqual([ids[0], ids[2]])

  expect(await mark({ pinned: false })).toMatchObject({ isChanged: true, marks: { pinned: false } })
  expect(await vault.prune({ keep: ids.slice(2), graceMs: 0 })).toMatchObject({
    removed: [ids[0]],
    pinned: [],
  })
  // What was marked is gone from all the sinks, and so are its marks, by the next prune.
  await vault.prune({ keep: ids.slice(2), graceMs: 0 })
  expect(keysOf(vault)).toEqual([[], []])
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('tags add up, are taken back one by one, and what nothing is left of is removed by a prune', async () => {
  using opened = await open()
  const { vault, ids, mark } = opened
  await mark({ addTags: ['b', 'a'] })
  await mark({ pinned: true, addTags: ['c'] })
  expect(await mark({ removeTags: ['b', 'absent'] })).toMatchObject({
    marks: { pinned: true, tags: ['a', 'c'] },
  })
  expect(keysOf(vault)[0]).toHaveLength(3)
  await vault.prune({ keep: ids, graceMs: 0 })
  expect(keysOf(vault).map((keys) => keys.length)).toEqual([1, 1])
  const [first] = await vault.snapshots(vault.sinks, { withMarks: true })
  expect(first?.marks).toEqual({ pinned: true, tags: ['a', 'c'], isUnclear: false })
})

test('a run tags the snapshot that it makes, on every sink', async () => {
  using opened = await open()
  const { vault, source } = opened
  await vault.run([source], { tags: ['nightly', 'nightly', 'before'] })
  for (const sink of vault.sinks)
    expect((await vault.snapshots([sink], { withMarks: true })).at(-1)?.marks?.tags).toEqual([
      'before',
      'nightly',
    ])
  expect(await vault.verify()).toMatchObject({ exitCode: 0 })
})

test('a sink that was away keeps what it knew: at worst a snapshot stays too long', async () => {
  using opened = await open()
  const { vault, ids, mark, snapshots } = opened
  const [one, two] = vault.sinks
  const [snapshot] = snapshots
  if (!one || !two || !snapshot) throw new Error('no sink')
  await mark({ pinned: true })
  await markSnapshot({ host: vault.host, sinks: [one], snapshot, change: { pinned: false } })
  // Alone it does not know better.
  expect(await vault.prune({ sinks: [two], keep: ids.slice(2), graceMs: 0 })).toMatchObject({
    pinned: [ids[0]],
  })
  expect(await vault.verify()).toMatchObject({
    exitCode: 1,
    sinks: expect.arrayContaining([expect.objectContaining({ name: 'two', state: 'damaged' })]),
  })
  await vault.heal()
  expect(await vault.prune({ sinks: [two], keep: ids.slice(2), graceMs: 0 })).toMatchObject({ pinned: [] })
})

test('a pin that one sink alone has keeps the snapshot on all, also of what trash says was removed', async () => {
  using opened = await open()
  const { vault, ids, snapshots } = opened
  const [one, two] = vault.sinks
  const [snapshot] = snapshots
  if (!one || !two || !snapshot) throw new Error('no sink')
  await markSnapshot({ host: vault.host, sinks: [one], snapshot, change: { pinned: true } })
  // The other is pruned while the one with the pin is away.
  await vault.prune({ sinks: [two], keep: ids.slice(2), graceMs: 0 })
  expect((await vault.snapshots([two])).map(({ id }) => id)).toEqual(ids.slice(2))
  await vault.prune({ keep: ids.slice(2), graceMs: 0 })
  await vault.prune({ keep: ids.slice(2), graceMs: 0 })
  await vault.heal()
  for (const sink of [one, two])
    expect((await vault.snapshots([sink])).map(({ id }) => id)).toEqual([ids[0], ids[2]])
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test.for(['damaged', 'empty'])(
  'a pin that is %s holds its snapshot, is found, and is healed',
  async (how) => {
    using opened = await open()
    const { vault, ids, mark } = opened
    await mark({ pinned: true })
    const [key = ''] = vault.sink('one').keys('marks/')
    const spoil = (sink: string): void => {
      const object = vault.sink(sink).objects.get(key) ?? Buffer.of()
      object[object.length - 1] = (object.at(-1) ?? 0) ^ 1
      vault.sink(sink).objects.set(key, how === 'empty' ? Buffer.of() : object)
    }
    spoil('one')
    expect(await vault.verify()).toMatchObject({
      exitCode: 1,
      sinks: [{ problems: [{ key }] }, { state: 'ok' }],
    })
    expect(await vault.heal()).toMatchObject({ exitCode: 0 })
    expect(await vault.verify()).toMatchObject({ exitCode: 0 })

    spoil('one')
    spoil('two')
    expect(await vault.prune({ keep: ids.slice(2), graceMs: 0 })).toMatchObject({ pinned: [ids[0]] })
    // What it said is said again.
    expect(await mark({ pinned: false })).toMatchObject({ marks: { pinned: false, isUnclear: false } })
    expect(await vault.prune({ keep: ids.slice(2), graceMs: 0 })).toMatchObject({ removed: [ids[0]] })
    await vault.prune({ keep: ids.slice(2), graceMs: 0 })
    expect(keysOf(vault)).toEqual([[], []])
  },
)

test('a pin that a sink lacks is found missing, and brought by a healing', async () => {
  using opened = await open()
  const { vault, mark } = opened
  await mark({ pinned: true, addTags: ['t'] })
  const [key = ''] = vault.sink('two').keys('marks/')
  vault.sink('two').objects.delete(key)
  expect(await vault.verify()).toMatchObject({
    sinks: [{ state: 'ok' }, { problems: [{ key, why: 'missing' }] }],
  })
  await vault.heal()
  expect(keysOf(vault)).toEqual([[key], [key]])
  expect(await vault.verify()).toMatchObject({ exitCode: 0 })
})

test("a host that may write alone pins and tags, and takes back what is its own, but not another's", async () => {
  using opened = await open()
  const { vault, mark } = opened
  const writer = createVaultHost(vault.keys, 'write')
  const other = createVaultHost(vault.keys, 'write')
  await mark({ pinned: true, addTags: ['t'] }, writer)
  expect(await mark({ pinned: false }, other).catch(codeOf)).toBe('not-permitted')
  expect(await mark({ removeTags: ['t'] }, other).catch(codeOf)).toBe('not-permitted')
  await mark({ pinned: true, addTags: ['u'] }, other)
  expect(await mark({ removeTags: ['t'] }, writer)).toMatchObject({ marks: { pinned: true, tags: ['u'] } })
  expect(await mark({ pinned: false })).toMatchObject({ marks: { pinned: false, tags: ['u'] } })
})

test('a thief with a write key who writes that he replaces the pin of another takes it from nobody', async () => {
  using opened = await open()
  const { vault, ids, mark, snapshots } = opened
  await mark({ pinned: true })
  const [pin = ''] = vault.sink('one').keys('marks/')
  const replaces = [markIdOf(pin) ?? '']
  const thief = createVaultHost(vault.keys, 'write')
  const key = newMarkKey(snapshots[0]?.key ?? '', thief.hostId)
  for (const sink of vault.sinks)
    sink.objects.set(key, sealMark(thief, key, { pinned: false, tags: [], replaces }))
  expect(await vault.prune({ keep: ids.slice(2), graceMs: 0 })).toMatchObject({
    pinned: [ids[0]],
    removed: [ids[1]],
  })
  expect(await vault.prune({ host: thief, keep: ids.slice(2) }).catch(codeOf)).toBe('not-permitted')
})

test('a thief with a write key who puts a mark of his own in the place of a pin unpins nothing that a sink still has', async () => {
  using opened = await open()
  const { vault, ids, mark } = opened
  await mark({ pinned: true })
  const [pin = ''] = vault.sink('one').keys('marks/')
  const thief = createVaultHost(vault.keys, 'write')
  vault.sink('one').objects.set(pin, sealMark(thief, pin, { pinned: false, tags: [], replaces: [] }))
  expect(await vault.verify()).toMatchObject({ sinks: [{ problems: [{ key: pin }] }, { state: 'ok' }] })
  expect(await vault.prune({ keep: ids.slice(2), graceMs: 0 })).toMatchObject({ pinned: [ids[0]] })
  await vault.heal()
  expect(vault.sink('one').objects.get(pin)).toEqual(vault.sink('two').objects.get(pin))
})

test('a thief with the index key alone pins nothing: what he plants is found, and goes', async () => {
  using opened = await open()
  const { vault, ids, snapshots } = opened
  const key = newMarkKey(snapshots[0]?.key ?? '', vault.host.hostId)
  const forged = sealMark(await forgerOf(vault.host), key, { pinned: true, tags: ['x'], replaces: [] })
  vault.sink('one').objects.set(key, forged)
  expect(await vault.verify()).toMatchObject({ sinks: [{ problems: [{ key }] }, { state: 'ok' }] })
  expect(await vault.prune({ keep: ids.slice(2), graceMs: 0 })).toMatchObject({ pinned: [], kept: 1 })
  await vault.heal()
  expect(keysOf(vault)).toEqual([[], []])
})

test('a prune that goes on may not have seen the mark, and that is said', async () => {
  using opened = await open()
  const { vault, mark } = opened
  const record = {
    host: 'h',
    hostId: vault.host.hostId,
    started: new Date().toISOString(),
    kind: 'prune',
  } as const
  await using session = new VaultSession({ host: vault.host, record })
  for (const sink of vault.sinks) await session.join(sink)
  expect(await mark({ pinned: true }).catch(codeOf)).toBe('busy')
  // It is stored all the same.
  expect((await vault.snapshots(vault.sinks, { withMarks: true }))[0]?.marks?.pinned).toBe(true)
})

test('a sink that does not answer is said to lack the mark, and that is no reason for the others to', async () => {
  using opened = await open()
  const { vault, mark } = opened
  vault.sink('two').before = (operation, key) => {
    if (operation === 'put' && key.startsWith('marks/')) throw new Error('away')
  }
  expect(await mark({ pinned: true })).toMatchObject({
    exitCode: 3,
    marks: { pinned: true },
    sinks: [{ state: 'ok' }, { name: 'two', state: 'failed' }],
  })
})

test('a run without tags asks for no marks', async () => {
  using opened = await open()
  const { vault, source } = opened
  const listed: string[] = []
  vault.sink('one').before = (operation, key) => {
    if (operation === 'list') listed.push(key)
  }
  await vault.run([source])
  expect(listed).not.toContain('marks/')
})

test('what is said again goes to the sink that lacks it, and is not called good where it was not stored', async () => {
  using opened = await open()
  const { vault, ids, mark } = opened
  const two = vault.sink('two')
  two.before = (op, key) => {
    if (op === 'put' && key.startsWith('marks/')) throw new Error('away')
  }
  expect(await mark({ pinned: true })).toMatchObject({ exitCode: 3 })
  expect(await mark({ pinned: true })).toMatchObject({ isChanged: false, exitCode: 3 })
  two.before = undefined
  expect(await mark({ pinned: true })).toMatchObject({ isChanged: false, exitCode: 0 })
  expect(await vault.prune({ sinks: [two], keep: ids.slice(2), graceMs: 0 })).toMatchObject({
    removed: [ids[1]],
    pinned: [ids[0]],
  })
})

test('what is said again while a prune goes on is refused again', async () => {
  using opened = await open()
  const { vault, ids, mark } = opened
  const said: (string | undefined)[] = []
  vault.sink('one').before = async (op, key) => {
    if (op !== 'put' || !key.startsWith('trash/') || said.length > 0) return
    said.push('begun')
    for (let i = 0; i < 2; i++) said.push(await mark({ pinned: true }).then(() => 'done', codeOf))
  }
  await vault.prune({ keep: ids.slice(2), graceMs: 0 })
  expect(said).toEqual(['begun', 'busy', 'busy'])
})

test('an unpinning that could not read all marks is not through', async () => {
  using opened = await open()
  const { vault, snapshots, mark } = opened
  const [snapshot] = snapshots
  if (!snapshot) throw new Error('no snapshot')
  const one = vault.sink('one')
  await markSnapshot({ host: vault.host, sinks: [one], snapshot, change: { pinned: true } })
  one.before = (op, key) => {
    if (op === 'list' && key.startsWith('marks/')) throw new Error('EIO')
  }
  expect(await mark({ pinned: false })).toMatchObject({
    exitCode: 3,
    sinks: [
      { name: 'one', state: 'failed' },
      { name: 'two', state: 'ok' },
    ],
  })
})

test.for(['a clock that is a day off', 'a session that can not be read'])(
  'a prune that is under way is seen in spite of %s',
  async (trouble) => {
    const skewMs = trouble.startsWith('a clock') ? 30 * HOUR_MS : 0
    using vault = await TestVault.create(['one'], 7, () => new Date(Date.now() + skewMs))
    const source = new MemorySource('tree', { steady: 'steady' })
    const ids: string[] = []
    for (let i = 0; i < 2; i++) {
      source.set('changing', `edition ${i}`)
      ids.push((await vault.run([source])).snapshot ?? '')
    }
    const [snapshot] = await vault.snapshots()
    if (!snapshot) throw new Error('no snapshot')
    let marked: string | undefined
    let isMarking = false
    vault.sink('one').before = async (op, key) => {
      if (op === 'put' && key.startsWith('trash/') && marked === undefined) {
        marked = ''
        isMarking = true
        const { host, sinks } = vault
        const marking = markSnapshot({ host, sinks, snapshot, change: { pinned: true } })
        marked = await marking.then(
          ({ exitCode }) => String(exitCode),
          () => 'refused',
        )
        isMarking = false
      }
      if (skewMs === 0 && isMarking && op === 'get' && key.startsWith('sessions/')) throw new Error('EIO')
    }
    await vault.prune({ keep: ids.slice(1), graceMs: 0 })
    expect(marked).toBe('refused')
  },
)
