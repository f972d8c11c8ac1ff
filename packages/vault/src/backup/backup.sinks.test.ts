import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { vaultIdOf } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { encodeIndex } from '../format/index-object.ts'
import { sealObject } from '../format/sealed-object.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { codeOf } from '../test-support/outcome.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { createProgress } from './report.ts'

const TREE = { a: 'the first', b: 'the second', large: randomBytes(300_000) }
const TEXTS = Object.fromEntries(
  Object.entries(TREE).map(([path, bytes]) => [`tree/${path}`, bytes.toString()]),
)

/** Whatever a sink shows must restore from that sink alone. @returns how many snapshots it shows */
async function provenSnapshots(vault: TestVault, sink: MemorySink): Promise<number> {
  sink.before = undefined
  const shown = await vault.snapshots([sink])
  for (const { id } of shown) expect(await vault.texts([sink], id)).toEqual(TEXTS)
  return shown.length
}

test.for(['from then on', 'once', 'in its answer alone'])(
  'whichever put of a sink fails, %s: what it shows restores, and the other sink is whole',
  async (how) => {
    // A session, two or three packs, an index, a snapshot.
    for (let failing = 0; failing < 6; failing++) {
      using vault = await TestVault.create(['good', 'bad'])
      const bad = vault.sink('bad')
      let count = 0
      const fail = (operation: string) => {
        if (operation !== 'put') return
        const now = count++
        if (now === failing || (how === 'from then on' && now > failing)) throw bad.error('full')
      }
      if (how === 'in its answer alone') bad.after = fail
      else bad.before = fail
      const report = await vault.run([new MemorySource('tree', TREE)], { copies: 1 })
      bad.before = bad.after = undefined
      const state = report.sinks.find(({ name }) => name === 'bad')?.state
      expect(report).toMatchObject(state === 'ok' ? { copies: 2, exitCode: 0 } : { copies: 1, exitCode: 3 })
      expect(await provenSnapshots(vault, vault.sink('good'))).toBe(1)
      const shown = await provenSnapshots(vault, bad)
      // An answer that is lost may have been that to the snapshot: then it is there, though nobody counts on it.
      if (how !== 'in its answer alone') expect([failing, shown]).toEqual([failing, state === 'ok' ? 1 : 0])
      else expect(shown).toBeGreaterThanOrEqual(state === 'ok' ? 1 : 0)
      if (state !== 'ok')
        expect(vault.sinkProblems).toContainEqual({
          sink: 'bad',
          error: expect.objectContaining({ code: 'full' }),
        })
      // The next run makes good what is missing.
      expect(await vault.run([new MemorySource('tree', TREE)])).toMatchObject({ exitCode: 0, copies: 2 })
      expect(await provenSnapshots(vault, bad)).toBe(2)
    }
  },
)

test('with fewer sinks than copies the run has failed, and what was stored is used by the next', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const two = vault.sink('two')
  two.before = () => {
    throw two.error('unreachable')
  }
  const source = new MemorySource('tree', TREE)
  const failed = await vault.run([source])
  expect(failed).toMatchObject({ exitCode: 1, copies: 1, sinks: [{ state: 'ok' }, { state: 'failed' }] })
  two.before = undefined
  const next = await vault.run([source])
  expect(next).toMatchObject({
    exitCode: 0,
    copies: 2,
    bytesStored: 0,
    sinks: [{ healed: 0 }, { healed: expect.toSatisfy((packs) => packs > 1) }],
  })
  expect(await vault.texts([two])).toEqual(TEXTS)
})

test('when no sink can be used the first one’s error is thrown, and none is written to', async () => {
  using vault = await TestVault.create(['one', 'two'])
  for (const sink of vault.sinks) {
    sink.before = (operation) => {
      if (operation === 'get') throw sink.error('unauthorized')
    }
  }
  const before = vault.sinks.map((sink) => sink.puts.length)
  await expect(vault.run([new MemorySource('tree', TREE)])).rejects.toMatchObject({
    code: 'unauthorized',
    sink: 'one',
  })
  expect(vault.sinks.map((sink) => sink.puts.length)).toEqual(before)
})

test('a sink that stalls is left behind, and healed from another before the run ends', async () => {
  using vault = await TestVault.create(['fast', 'slow'])
  const slow = vault.sink('slow')
  let stalled = 0
  slow.before = async (operation, key, signal) => {
    if (operation !== 'put' || !key.startsWith('packs/') || stalled++ > 0) return
    await delay(60_000, undefined, signal && { signal }).catch(() => undefined)
    throw slow.error('timeout')
  }
  const report = await vault.run([new MemorySource('tree', TREE)], { copies: 1, detachAfterMs: 300 })
  expect(report).toMatchObject({ exitCode: 0, copies: 2 })
  expect(report.sinks.find(({ name }) => name === 'slow')?.healed).toBeGreaterThan(0)
  expect(vault.sinkProblems).toContainEqual({
    sink: 'slow',
    error: expect.objectContaining({ message: expect.stringContaining('too slow') }),
  })
  expect(await provenSnapshots(vault, slow)).toBe(1)
})

test('a slow sink that is needed is waited for, however long it may hold the window', async () => {
  using vault = await TestVault.create(['fast', 'slow'])
  const slow = vault.sink('slow')
  let puts = 0
  slow.before = async (operation, key) => {
    if (operation === 'put' && key.startsWith('packs/') && puts++ === 0) await delay(500)
  }
  const report = await vault.run([new MemorySource('tree', TREE)], { copies: 2, detachAfterMs: 50 })
  expect(report).toMatchObject({ exitCode: 0, copies: 2, sinks: [{ healed: 0 }, { healed: 0 }] })
  expect(vault.sinkProblems).toEqual([])
})

test('a sink has its snapshot while another is still being sent its packs', async () => {
  using vault = await TestVault.create(['slow', 'fast'])
  const fast = vault.sink('fast')
  let shownMeanwhile: number | undefined
  vault.sink('slow').before = async (operation, key) => {
    if (operation !== 'put' || !key.startsWith('packs/') || shownMeanwhile !== undefined) return
    for (let waited = 0; waited < 200 && fast.keys('snapshots/').length === 0; waited++) await delay(50)
    shownMeanwhile = fast.keys('snapshots/').length
  }
  const report = await vault.run([new MemorySource('tree', TREE)])
  expect({ ...report, shownMeanwhile }).toMatchObject({ exitCode: 0, copies: 2, shownMeanwhile: 1 })
})

test('the progress counts the bytes that go, and those that wait', async () => {
  using vault = await TestVault.create(['one'])
  const one = vault.sink('one')
  const progress = createProgress()
  const seen: { sent: number; waiting: number }[] = []
  const look = (operation: string, key: string) => {
    if (operation !== 'put' || !key.startsWith('packs/')) return
    for (const { bytesSent: sent, queuedBytes: waiting } of progress.sinks) seen.push({ sent, waiting })
  }
  const packBytes = () =>
    one.keys('packs/').reduce((sum, key) => sum + (one.objects.get(key)?.length ?? 0), 0)
  one.before = one.after = look
  await vault.run([new MemorySource('tree', TREE)], { progress })
  const [first, last] = [seen[0], seen.at(-1)]
  expect(first?.waiting).toBeGreaterThan(0)
  // The last has gone, and its answer is awaited.
  expect({ sent: (last?.sent ?? 0) - (first?.sent ?? 0), waiting: last?.waiting }).toEqual({
    sent: packBytes(),
    waiting: 0,
  })
  expect(progress.sinks).toMatchObject([{ queuedBytes: 0 }])
})

test('when every sink fails in the middle, that is one line and no bug', async () => {
  using vault = await TestVault.create(['one', 'two'])
  for (const sink of vault.sinks) {
    sink.before = (operation, key) => {
      if (operation === 'put' && key.startsWith('packs/')) throw sink.error('full')
    }
  }
  const big = new MemorySource('tree', { a: randomBytes(300 * 1024 * 1024) })
  await expect(vault.run([big])).rejects.toMatchObject({
    name: 'VaultError',
    code: 'too-few-copies',
    message: expect.stringMatching(/^no sink is left to write to\..*one: .*two: /),
  })
})

test('an empty sink that joins later gets everything, also what older runs stored', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const source = new MemorySource('tree', TREE)
  await vault.run([source], { sinks: [vault.sink('one')], copies: 1 })
  source.set('c', 'later')
  await vault.run([source])
  expect((await vault.texts([vault.sink('two')]))['tree/c']).toBe('later')
  expect(vault.sink('two').keys('index/')).toEqual(vault.sink('one').keys('index/'))
})

test('a sink of another vault, or of a newer version, is not written to; the others go on', async () => {
  using vault = await TestVault.create(['ours', 'theirs', 'newer', 'empty'])
  using other = await TestVault.create(['theirs'], 99)
  const theirs = vault.sink('theirs')
  theirs.objects.set('vault.json', other.sink('theirs').objects.get('vault.json') ?? Buffer.alloc(0))
  const { publicKey } = vault.keys
  const newer = {
    format: 'pipe-backup vault',
    version: 2,
    id: vaultIdOf(publicKey, 2),
    publicKey: Buffer.from(publicKey).toString('hex'),
  }
  vault.sink('newer').objects.set('vault.json', Buffer.from(JSON.stringify(newer)))
  vault.sink('empty').objects.clear()
  const puts = vault.sinks.map((sink) => sink.puts.length)
  const report = await vault.run([new MemorySource('tree', TREE)], { copies: 1 })
  expect(report.sinks.map(({ state }) => state)).toEqual(['ok', 'failed', 'failed', 'failed'])
  expect(Object.fromEntries(vault.sinkProblems.map(({ sink, error }) => [sink, codeOf(error)]))).toEqual({
    empty: 'not-a-vault',
    newer: 'unsupported-version',
    theirs: 'not-a-vault',
  })
  expect(vault.sinks.map((sink) => sink.puts.length).slice(1)).toEqual(puts.slice(1))
})

test.for(['missing', 'empty', 'cut short', 'longer'])(
  'a pack that is %s on one sink is brought back by the next run',
  async (damage) => {
    using vault = await TestVault.create(['one', 'two'])
    const source = new MemorySource('tree', TREE)
    await vault.run([source])
    const two = vault.sink('two')
    for (const key of two.keys('packs/')) {
      const bytes = two.objects.get(key) ?? Buffer.alloc(0)
      if (damage === 'missing') two.objects.delete(key)
      else if (damage === 'empty') two.objects.set(key, Buffer.alloc(0))
      else if (damage === 'cut short') two.objects.set(key, bytes.subarray(0, -20))
      else two.objects.set(key, Buffer.concat([bytes, Buffer.of(0)]))
    }
    const report = await vault.run([source])
    expect(report.sinks.find(({ name }) => name === 'two')).toMatchObject({
      state: 'ok',
      healed: expect.toSatisfy((packs) => packs > 1),
    })
    expect(await provenSnapshots(vault, two)).toBe(2)
  },
)

test('a pack that no sink has any more is stored again from the source', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const source = new MemorySource('tree', TREE)
  await vault.run([source])
  for (const sink of vault.sinks) for (const key of sink.keys('packs/')) sink.objects.delete(key)
  const report = await vault.run([source])
  expect(report).toMatchObject({ exitCode: 0, copies: 2 })
  for (const sink of vault.sinks) expect(await vault.texts([sink])).toEqual(TEXTS)
})

test('rubbish among the packs of one sink, or a damaged pack that nothing needs, keeps no other sink from its snapshot', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  const source = new MemorySource('tree', TREE)
  // A run that was cut short: packs on one sink that no index lists.
  two.before = (operation) => {
    if (operation === 'put') throw two.error('full')
  }
  one.before = (operation, key) => {
    if (operation === 'put' && /^(?:index|snapshots)/.test(key)) throw one.error('full')
  }
  await vault.run([new MemorySource('tree', { lost: randomBytes(200_000) })])
  for (const sink of vault.sinks) sink.before = undefined
  for (const key of one.keys('packs/')) {
    const bytes = Buffer.from(one.objects.get(key) ?? [])
    bytes[150] = (bytes[150] ?? 0) ^ 1
    one.objects.set(key, bytes)
  }
  const rubbish = randomBytes(500)
  const name = createHash('sha256').update(rubbish).digest('hex')
  one.objects.set(`packs/${name.slice(0, 2)}/${name}`, rubbish)
  one.objects.set('packs/readme.txt', rubbish)
  const report = await vault.run([source])
  expect(report).toMatchObject({ copies: 2, sinks: [{ state: 'ok' }, { state: 'ok' }] })
  for (const sink of vault.sinks) expect(await vault.texts([sink])).toEqual(TEXTS)
})

test('an index that one sink can not give keeps no other sink from its snapshot, and a damaged one is not copied', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  const source = new MemorySource('tree', TREE)
  await vault.run([source])
  // The second run has a copy of its own of the index by then, and asks no sink for it until it heals.
  await vault.run([source])
  for (const key of two.keys('index/')) two.objects.delete(key)
  const damaged = 'index/'.padEnd(38, 'd')
  one.objects.set(damaged, Buffer.from('rubbish'))
  source.set('a', 'the first')
  one.before = (operation, key) => {
    if (operation === 'get' && key.startsWith('index/')) throw one.error('unreachable')
  }
  const report = await vault.run([source])
  expect(report).toMatchObject({ copies: 2, sinks: [{ state: 'ok' }, { state: 'ok' }] })
  one.before = undefined
  await vault.run([source])
  expect(two.keys('index/')).not.toContain(damaged)
  expect(await provenSnapshots(vault, two)).toBe(4)
})

test('an index of another vault under a good name is reported, and the packs found without it', async () => {
  using vault = await TestVault.create()
  const source = new MemorySource('tree', TREE)
  await vault.run([source])
  const one = vault.sink('one')
  for (const key of one.keys('index/'))
    one.objects.set(
      key,
      sealObject({ ...vault.host, keys: { ...vault.keys, indexKey: randomBytes(32) } }, key, encodeIndex([])),
    )
  using elsewhere = await TestVault.create()
  // The same host with its local state lost: nothing but the sink shows what is stored.
  const report = await vault.run([source], { stateDirectory: elsewhere.stateDirectory })
  expect(vault.sinkProblems).toContainEqual({
    sink: 'one',
    error: expect.objectContaining({ code: 'corrupt' }),
  })
  expect(report.sources[0]?.bytesNew).toBe(0)
  expect(await vault.texts()).toEqual(TEXTS)
})

test('a session object is there while a run lasts, and not when it has ended, well or badly', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const [one, two] = [vault.sink('one'), vault.sink('two')]
  const seen: string[] = []
  const source = new MemorySource('tree', TREE)
  source.beforeEntry = () => void seen.push(...one.keys('sessions/'), ...two.keys('sessions/'))
  two.before = (operation, key) => {
    if (operation === 'put' && key.startsWith('packs/')) throw two.error('full')
  }
  await vault.run([source], { copies: 1 })
  expect(new Set(seen).size).toBe(1)
  expect(seen.length).toBe(6)
  expect(vault.sinks.flatMap((sink) => sink.keys('sessions/'))).toEqual([])
})

test.for([
  ['loses', 'missing', 1],
  ['loses', 'missing', 12],
  ['shortens', 'corrupt', 1],
  ['shortens', 'corrupt', 12],
] as const)(
  'a sink that acknowledges a pack and %s it (%s, one of %i) is found out before a snapshot rests on it',
  async ([how, code, packs]) => {
    using vault = await TestVault.create(['good', 'bad'])
    const bad = vault.sink('bad')
    let corrupt = ''
    bad.after = (operation, key) => {
      if (operation !== 'put' || !key.startsWith('packs/') || corrupt !== '') return
      corrupt = key
      if (how === 'loses') bad.objects.delete(key)
      else bad.objects.set(key, bad.objects.get(key)?.subarray(0, -1) ?? Buffer.alloc(0))
    }
    const tree =
      packs === 1
        ? TREE
        : Object.fromEntries(Array.from({ length: packs }, (_, i) => [`f${i}`, randomBytes(17_000_000)]))
    const source = new MemorySource('tree', tree)
    expect(await vault.run([source], { copies: 1 })).toMatchObject({
      exitCode: 3,
      sinks: [{ state: 'ok' }, { state: 'failed' }],
    })
    bad.after = undefined
    expect(vault.sinkProblems).toContainEqual({
      sink: 'bad',
      error: expect.objectContaining({ code, key: corrupt }),
    })
    expect(bad.keys('snapshots/')).toEqual([])
    expect(await vault.run([source])).toMatchObject({ exitCode: 0 })
    expect(await vault.verify()).toMatchObject({ exitCode: 0 })
    expect(bad.keys('snapshots/')).toHaveLength(2)
  },
)

/** Backs up 256 MiB to a sink that takes nothing until `check` has ended. */
async function runWithFullWindow(
  unknownSize: boolean,
  pieceEveryMs: number,
  check: (bytesRead: () => number) => Promise<void>,
): Promise<void> {
  using vault = await TestVault.create(['one'])
  const gate = Promise.withResolvers<void>()
  vault.sink('one').before = async (operation, key) => {
    if (operation === 'put' && key.startsWith('packs/')) await gate.promise
  }
  const progress = createProgress()
  const source = new MemorySource('dump', { sql: { bytes: randomBytes(FULL_BYTES), unknownSize } })
  const running = vault.run([source], { windowBytes: 1, pieceEveryMs, progress })
  await check(() => progress.bytesRead)
  gate.resolve()
  expect(await running).toMatchObject({ exitCode: 0 })
}

const FULL_BYTES = 256 * 1024 * 1024

/** Waits until nothing has been read for so long, at many looks. @returns what was read until then, in bytes */
async function readUntilStill(bytesRead: () => number, forMs: number): Promise<number> {
  for (let last = 0, looks = 0, since = performance.now(); ; looks++) {
    await delay(forMs / 40)
    const now = bytesRead()
    if (now === 0 || now !== last) {
      last = now
      looks = 0
      since = performance.now()
    } else if (looks >= 20 && performance.now() - since >= forMs) return now
  }
}

test('while the window is full a file is not read on', { timeout: 60_000 }, async () => {
  // Read on in pieces it would not be still for so long before the packs that may wait are full, a minute later.
  await runWithFullWindow(false, 1000, async (bytesRead) => {
    expect(await readUntilStill(bytesRead, 4000)).toBeLessThan(FULL_BYTES)
  })
})

test("while the window is full a program's output is read on in pieces", { timeout: 60_000 }, async () => {
  await runWithFullWindow(true, 3000, async (bytesRead) => {
    // No piece is read for so long: the window is full.
    const full = await readUntilStill(bytesRead, 1500)
    await expect.poll(bytesRead).toBeGreaterThan(full + 2 * 2 ** 20)
  })
})

test("a program's output is read on up to a bound", { timeout: 60_000 }, async () => {
  await runWithFullWindow(true, 50, async (bytesRead) => {
    expect(await readUntilStill(bytesRead, 2000)).toBeLessThan(FULL_BYTES)
  })
})
