import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { faultySink, type MemorySink, memorySink } from '@pipe-backup/sink/testing'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { archiveKey, sumKey } from './archive-key.ts'
import { decodeSum, encodeSum } from './archive-sum.ts'
import { healArchives } from './heal-archives.ts'
import { type ArchiveInfo, listArchives, selectArchive } from './list-archives.ts'
import { pruneArchives } from './prune-archives.ts'
import { receiveArchive } from './receive-archive.ts'
import { type SendArchiveOptions, sendArchive } from './send-archive.ts'
import { breakingSink, rottenSink } from './test-support/breaking-sink.ts'
import { HOST_ID, keysOf, signerOf } from './test-support/vault-keys.ts'
import { verifyArchives } from './verify-archives.ts'

let keys: VaultKeys
beforeAll(async () => {
  keys = await keysOf(1)
})

const TIME = new Date('2026-11-28T10:00:00.123Z')
const plain = Buffer.from(Array.from({ length: 400_000 }, (_, i) => i % 251))
const threeSinks = (): MemorySink[] => ['a', 'b', 'c'].map((name) => memorySink(name))

async function send(sinks: readonly Sink[], more: Partial<SendArchiveOptions> = {}) {
  return await sendArchive({
    time: TIME,
    name: 'bot',
    isTar: true,
    content: Readable.from([plain.subarray(0, 100_000), plain.subarray(100_000)], { objectMode: false }),
    keys,
    signer: signerOf(keys),
    sinks,
    copies: sinks.length,
    ...more,
  })
}

async function first(sinks: readonly Sink[]): Promise<ArchiveInfo> {
  const [archive] = (await listArchives({ sinks, keys })).archives
  if (!archive) throw new Error('no archive')
  return archive
}

const ID = '20261128t100000.123z-bot.tar.pb'

test('one encryption is on every sink, with a proof that sha256sum reads, and comes back', async () => {
  const sinks = threeSinks()
  const sent = await send(sinks)
  expect(sent).toMatchObject({ id: ID, sinks: sinks.map(({ name }) => ({ name, state: 'ok' })) })
  const copies = sinks.map(({ objects }) => Buffer.from(objects.get(archiveKey(ID))?.bytes ?? []))
  for (const copy of copies) expect(copy.equals(copies[0] ?? copy)).toBe(true)
  expect(sent.sizeBytes).toBe(copies[0]?.length)
  const archive = await first(sinks)
  expect(archive).toMatchObject({
    id: ID,
    name: 'bot',
    isTar: true,
    time: TIME,
    hostId: HOST_ID,
    holders: sinks,
  })
  expect(String(Buffer.from(sinks[1]?.objects.get(sumKey(ID))?.bytes ?? []))).toContain(
    `${archive.sha256}  ${ID}\n# `,
  )
  expect((await buffer(receiveArchive({ archive, identity: keys }))).equals(plain)).toBe(true)
})

test('each sink fails alone; with fewer than must have it nothing is published and nothing stays', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.nat(450_000), { nil: undefined }), { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 1, max: 3 }),
      async (breaks, copies) => {
        const memories = threeSinks()
        const sinks = memories.map((sink, i) => {
          const at = breaks[i]
          return at === undefined ? sink : breakingSink(sink, at)
        })
        const sent = await send(sinks, { copies })
        const good = breaks.filter((at) => at === undefined || at >= sent.sizeBytes).length
        if (sent.id !== null) expect(sent.sinks.filter(({ state }) => state === 'ok').length).toBe(good)
        expect(sent.id === null).toBe(good < copies)
        for (const { objects } of memories) expect([0, 2]).toContain(objects.size)
        const held = memories.filter(({ objects }) => objects.size === 2).length
        expect(held).toBe(sent.id === null ? 0 : good)
      },
    ),
    { numRuns: 60 },
  )
})

test('what fails to be read, is stopped, or goes to a sink that is not to be used, is no archive', async () => {
  const sinks = threeSinks()
  const fails = async function* () {
    yield plain
    throw new Error('mysqldump exited with 2')
  }
  const failed = await send(sinks, { content: fails() })
  expect(failed).toMatchObject({ id: null, error: { message: 'mysqldump exited with 2' } })
  expect(failed.sinks.map(({ state }) => state)).toEqual(['discarded', 'discarded', 'discarded'])
  const stop = new AbortController()
  const stopped = async function* () {
    yield plain
    stop.abort(new Error('stopped'))
    await new Promise((resolve) => setTimeout(resolve, 60_000).unref())
  }
  await expect(send(sinks, { content: stopped(), signal: stop.signal })).rejects.toThrow('stopped')
  for (const { objects } of sinks) expect(objects.size).toBe(0)
  let isRead = false
  const content = async function* () {
    isRead = true
    yield plain
  }
  const check = async ({ name }: Sink) => {
    if (name === 'b') throw new Error('is not mounted')
  }
  const problems: string[] = []
  const onSinkProblem = (sink: string, error: Error) => problems.push(`${sink} ${error.message}`)
  expect(await send(sinks, { content: content(), check, onSinkProblem })).toMatchObject({ id: null })
  expect(isRead).toBe(false)
  expect(problems).toEqual(['b is not mounted'])
  expect(await send(sinks, { content: content(), check, copies: 2 })).toMatchObject({ id: ID })
  expect(sinks.map(({ objects }) => objects.size)).toEqual([2, 0, 2])
})

test('a sink that does not take the proof does not hold the archive', async () => {
  const [a = memorySink('a'), b = memorySink('b')] = threeSinks()
  const full = faultySink(b, ({ operation }) => (operation === 'put' ? { before: new Error('full') } : {}))
  const sent = await send([a, full], { copies: 1 })
  expect(sent.sinks).toMatchObject([{ state: 'ok' }, { state: 'failed', error: { message: 'full' } }])
})

test('receiving goes on from the next sink where one is cut, fails or is damaged, and gives each byte once', async () => {
  const memories = threeSinks()
  const { sizeBytes } = await send(memories)
  const fault = fc.tuple(fc.constantFrom('flip', 'cut', 'fail', 'whole'), fc.nat(sizeBytes - 1))
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 2, maxLength: 2 }), async (faults) => {
      const sinks = memories.map((sink, i) => {
        const [kind, at] = faults[i] ?? ['whole', 0]
        return kind === 'whole' ? sink : rottenSink(sink, kind, at)
      })
      const problems: string[] = []
      const onProblem = (sink: string) => problems.push(sink)
      const archive = await first(sinks)
      const got = await buffer(receiveArchive({ archive, identity: keys, onProblem }))
      expect(got.equals(plain)).toBe(true)
      // What is wrong with a part that has been had already does not matter.
      const whole = faults.findIndex(([kind]) => kind === 'whole')
      const corrupt = ['a', 'b'].slice(0, whole < 0 ? 2 : whole)
      expect(corrupt.slice(0, problems.length)).toEqual(problems)
      expect(problems.length).toBeGreaterThanOrEqual(Math.min(1, corrupt.length))
    }),
    { numRuns: 40 },
  )
  const rotten = memories.map((sink) => rottenSink(sink, 'flip', 200_000))
  await expect(
    buffer(receiveArchive({ archive: await first(rotten), identity: keys })),
  ).rejects.toMatchObject({
    code: 'lost',
  })
  const archive = await first(memories)
  await expect(buffer(receiveArchive({ archive, identity: await keysOf(2) }))).rejects.toMatchObject({
    code: 'wrong-key',
  })
})

test('an archive under the name of another is not received', async () => {
  const sinks = threeSinks().slice(0, 1)
  const [sink = memorySink()] = sinks
  await send(sinks)
  await send(sinks, { time: new Date(TIME.getTime() + 1000) })
  const [older, newer] = (await listArchives({ sinks, keys })).archives
  if (!older || !newer) throw new Error('two were sent')
  sink.objects.set(
    archiveKey(newer.id),
    sink.objects.get(archiveKey(older.id)) ?? { bytes: plain, storedAt: TIME },
  )
  await expect(buffer(receiveArchive({ archive: newer, identity: keys }))).rejects.toMatchObject({
    code: 'lost',
  })
})

test('a proof is for one archive, from one vault, to the byte, and of a host that is trusted', async () => {
  const sum = { id: ID, sizeBytes: 12, sha256: 'ab'.repeat(32), hostId: HOST_ID }
  const object = encodeSum(signerOf(keys), sum)
  expect(decodeSum(keys, ID, object)).toEqual({ ...sum, proof: object })
  const other = await keysOf(2)
  expect(() => decodeSum(other, ID, object)).toThrow('not of this vault')
  expect(() => decodeSum(keys, ID.replace('bot', 'bat'), object)).toThrow('not of this vault')
  const stranger = signerOf({ ...other, indexKey: keys.indexKey })
  expect(() => decodeSum(keys, ID, encodeSum(stranger, sum))).toThrow('not of this vault')
  const revoked = (...believed: string[]) => ({ ...keys, revoked: new Map([[HOST_ID, new Set(believed)]]) })
  expect(() => decodeSum(revoked(), ID, object)).toThrow('is revoked')
  expect(decodeSum(revoked(sum.sha256), ID, object)).toMatchObject(sum)
  for (let i = 0; i < object.length; i++) {
    const flipped = Buffer.from(object)
    flipped[i] = (flipped[i] ?? 0) ^ 1
    expect(() => decodeSum(keys, ID, flipped)).toThrow('not of this vault')
  }
})

test('verifying names what is missing or damaged, and healing brings it from a sink that has it whole', async () => {
  const sinks = threeSinks()
  const [a = memorySink(), b = memorySink(), c = memorySink()] = sinks
  await send(sinks)
  const whole = await verifyArchives({ sinks, keys, identity: keys })
  expect(whole).toMatchObject({
    archives: 1,
    lost: [],
    sinks: sinks.map(({ name }) => ({ name, problems: [] })),
  })

  a.objects.delete(archiveKey(ID))
  a.objects.delete(sumKey(ID))
  const rotten = Buffer.from(b.objects.get(archiveKey(ID))?.bytes ?? [])
  rotten[300_000] = (rotten[300_000] ?? 0) ^ 1
  b.objects.set(archiveKey(ID), { bytes: rotten, storedAt: TIME })
  b.objects.set(sumKey(ID), { bytes: Buffer.from('nonsense'), storedAt: TIME })
  const found = await verifyArchives({ sinks, keys })
  const problems = found.sinks.flatMap(({ name, problems }) =>
    problems.map(({ key, code }) => [name, key, code]),
  )
  expect(problems).toEqual([
    ['a', archiveKey(ID), 'missing'],
    ['b', sumKey(ID), 'corrupt'],
    ['b', archiveKey(ID), 'corrupt'],
  ])
  expect(found.lost).toEqual([])

  const damaged = problems.map(([sink = '', key = '']) => ({ sink, key }))
  const healed = await healArchives({ sinks, keys, damaged })
  expect(healed).toMatchObject({ lost: [], sinks: [{ objects: 2 }, { objects: 2 }, { objects: 0 }] })
  expect(healed.whole).toEqual(expect.arrayContaining(damaged))
  for (const { objects } of [a, b])
    for (const key of [archiveKey(ID), sumKey(ID)])
      expect(
        Buffer.from(objects.get(key)?.bytes ?? []).equals(c.objects.get(key)?.bytes ?? Buffer.of()),
      ).toBe(true)
  const after = await verifyArchives({ sinks, keys })
  expect(after.sinks.every((sink) => sink.problems.length === 0)).toBe(true)
})

test('a proof that has grown beyond measure is damaged, and healed', async () => {
  const sinks = threeSinks()
  const [a = memorySink()] = sinks
  await send(sinks)
  a.objects.set(sumKey(ID), { bytes: Buffer.alloc(100_000, 'x'), storedAt: TIME })
  const { sinks: found } = await verifyArchives({ sinks, keys })
  expect(found[0]).toMatchObject({ problems: [{ key: sumKey(ID), code: 'corrupt' }], error: undefined })
  const healed = await healArchives({ sinks, keys, damaged: [] })
  expect(healed.sinks[0]).toMatchObject({ objects: 1, error: undefined })
  expect((await verifyArchives({ sinks, keys })).sinks[0]).toMatchObject({ problems: [] })
})

test('healing does not copy what turns out damaged, takes the next copy, and repairs both', async () => {
  const sinks = threeSinks()
  const [a = memorySink(), b = memorySink(), c = memorySink()] = sinks
  await send(sinks)
  const bytes = Buffer.from(c.objects.get(archiveKey(ID))?.bytes ?? [])
  const rotten = Buffer.from(bytes)
  rotten[399_999] = (rotten[399_999] ?? 0) ^ 1
  a.objects.set(archiveKey(ID), { bytes: rotten, storedAt: TIME })
  b.objects.delete(archiveKey(ID))
  const problems: string[] = []
  const onProblem = (sink: string) => problems.push(sink)
  await healArchives({ sinks, keys, damaged: [], onProblem })
  expect(problems).toEqual(['a'])
  for (const { objects } of sinks)
    expect(bytes.equals(objects.get(archiveKey(ID))?.bytes ?? Buffer.of())).toBe(true)
  for (const { objects } of sinks) objects.set(archiveKey(ID), { bytes: rotten, storedAt: TIME })
  b.objects.delete(archiveKey(ID))
  expect(await healArchives({ sinks, keys, damaged: [] })).toMatchObject({ lost: [ID] })
  expect((await verifyArchives({ sinks, keys })).lost).toEqual([ID])
})

test('pruning removes what is chosen, spares a sink that lacks what stays, and takes what was broken off a day later', async () => {
  const sinks = threeSinks()
  const [a = memorySink(), b = memorySink()] = sinks
  const times = [0, 1, 2].map((hour) => new Date(TIME.getTime() + hour * 3_600_000))
  for (const time of times) await send(sinks, { time })
  const { archives } = await listArchives({ sinks, keys })
  const [oldest, , newest] = archives
  const choose = () => new Set([oldest?.id ?? ''])
  b.objects.delete(archiveKey(newest?.id ?? ''))
  const brokenOff = archiveKey(ID.replace('bot', 'cut'))
  a.objects.set(brokenOff, { bytes: Buffer.of(1), storedAt: new Date() })
  expect((await pruneArchives({ sinks, keys, choose, dryRun: true })).sinks).toMatchObject([
    { bytesFreed: oldest?.sizeBytes },
    { error: { code: 'incomplete' }, bytesFreed: 0 },
    { bytesFreed: oldest?.sizeBytes },
  ])
  expect(a.objects.has(archiveKey(oldest?.id ?? ''))).toBe(true)
  await pruneArchives({ sinks, keys, choose })
  expect(sinks.map(({ objects }) => objects.has(archiveKey(oldest?.id ?? '')))).toEqual([false, true, false])
  expect(a.objects.has(brokenOff)).toBe(true)
  const tomorrow = () => new Date(Date.now() + 25 * 3_600_000)
  await pruneArchives({ sinks, keys, choose, now: tomorrow })
  expect(a.objects.has(brokenOff)).toBe(false)
})

test('a sink that is down is reported, and no others suffer', async () => {
  const sinks = threeSinks()
  await send(sinks)
  const down = faultySink(sinks[0] ?? memorySink(), () => ({ before: new Error('down') }))
  const list = await listArchives({ sinks: [down, ...sinks.slice(1)], keys })
  expect([...list.failures.keys()]).toEqual(['a'])
  expect(list.archives[0]?.holders.map(({ name }) => name)).toEqual(['b', 'c'])
  await expect(listArchives({ sinks: [down], keys })).rejects.toThrow('down')
})

test('an archive is chosen by id, name, time or place', async () => {
  const sinks = threeSinks().slice(0, 1)
  for (const [minute, name] of ['bot', 'notes', 'bot'].entries())
    await send(sinks, { name, time: new Date(TIME.getTime() + minute * 60_000) })
  const { archives } = await listArchives({ sinks, keys })
  const [one, two, three] = archives.map(({ id }) => id)
  const chosen = (spec: string) => selectArchive(archives, spec).id
  expect(chosen('latest')).toBe(three)
  expect(chosen('latest~2')).toBe(one)
  expect(chosen('bot')).toBe(three)
  expect(chosen('notes')).toBe(two)
  expect(chosen(one ?? '')).toBe(one)
  expect(chosen('20261128t1001')).toBe(two)
  expect(chosen('2026-11-28T10:01:30Z')).toBe(two)
  for (const spec of ['latest~3', 'x', '2026-11-27', '2026-99-99'])
    expect(() => chosen(spec)).toThrow(expect.objectContaining({ code: 'not-found' }))
  expect(() => chosen('20261128')).toThrow(expect.objectContaining({ code: 'ambiguous' }))
  expect(() => selectArchive([], 'latest')).toThrow(/no archive yet/)
})
