import { randomBytes } from 'node:crypto'
import { deriveKeys, sealTo } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { encodePackHeader, packKey, runKeyId } from '../format/pack-format.ts'
import { damagedObject } from '../store/damage.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { flips, truncations } from '../test-support/outcome.ts'
import { ChunkLocations } from './chunk-locations.ts'
import { ChunkReader } from './chunk-reader.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(5))
const strangers = await deriveKeys(new Uint8Array(32).fill(6))
const PLAINS = [
  Buffer.from('the first chunk'),
  Buffer.alloc(400, 'the second one '),
  Buffer.from('the third'),
]

async function smallPack(sinks: readonly MemorySink[], recipients: readonly Uint8Array[] = []) {
  const chunks = await MemoryChunks.create(keys, recipients)
  const ids = PLAINS.map((plain) => chunks.add(plain))
  return { chunks, ids, pack: chunks.finish(sinks) }
}

test('every flipped byte and every missing end of a pack is named, and nothing wrong is ever given', async () => {
  const good = new MemorySink('good')
  const { chunks, ids, pack } = await smallPack([good])
  const key = packKey(pack.name)
  const bytes = good.objects.get(key) ?? Buffer.alloc(0)
  const bad = new MemorySink('bad')
  let failed = 0
  for (const { at, damaged } of [...flips(bytes), ...truncations(bytes)]) {
    bad.objects.set(key, damaged)
    const problems: Error[] = []
    const reader = await chunks.read(pack, [bad], (error) => problems.push(error))
    for (const [i, id] of ids.entries()) {
      try {
        expect([at, Buffer.compare(await reader.read(id), PLAINS[i] ?? bytes)]).toEqual([at, 0])
      } catch (error) {
        failed++
        expect(error).toMatchObject({ name: 'VaultError', code: 'missing', key })
        expect(problems).toEqual([
          expect.objectContaining({
            code: 'corrupt',
            sink: 'bad',
            key,
            message: expect.stringContaining(key),
          }),
        ])
      }
    }
  }
  expect(failed).toBeGreaterThan(bytes.length)
})

test('damage on one sink is read from the next, chunk by chunk', async () => {
  const [one, two] = [new MemorySink('one'), new MemorySink('two')]
  const { chunks, ids, pack } = await smallPack([one, two])
  const key = packKey(pack.name)
  const flipped = (sink: MemorySink, at: number) => {
    const bytes = Buffer.from(sink.objects.get(key) ?? [])
    bytes[at] = (bytes[at] ?? 0) ^ 1
    sink.objects.set(key, bytes)
  }
  // The first chunk is damaged on one sink, the last on the other: neither has the pack whole.
  flipped(one, chunks.header.length + 30)
  flipped(two, chunks.writer.length - 5)
  const problems: Error[] = []
  const reader = await chunks.read(pack, [one, two], (error) => problems.push(error))
  for (const [i, id] of ids.entries()) expect(Buffer.from(await reader.read(id))).toEqual(PLAINS[i])
  expect(problems).toEqual([expect.objectContaining({ code: 'corrupt', sink: 'one', key })])
})

test('a header with run keys of somebody else, who knows the public key, spoils nothing on the next sink', async () => {
  const [forged, good] = [new MemorySink('forged'), new MemorySink('good')]
  const { chunks, ids, pack } = await smallPack([forged, good])
  const key = packKey(pack.name)
  const runKey = randomBytes(32)
  const box = await sealTo(keys.publicKey, runKey)
  const header = encodePackHeader([{ id: runKeyId(runKey), boxes: [box] }])
  const rest = good.objects.get(key)?.subarray(header.length) ?? Buffer.alloc(0)
  forged.objects.set(key, Buffer.concat([header, rest]))
  const problems: Error[] = []
  const reader = await chunks.read(pack, [forged, good], (error) => problems.push(error))
  for (const [i, id] of ids.entries()) expect(Buffer.from(await reader.read(id))).toEqual(PLAINS[i])
  expect(problems).toEqual([expect.objectContaining({ code: 'corrupt', sink: 'forged', key })])
})

test('a sink that lacks the pack or fails is passed over, and reported once', async () => {
  const [empty, away, good] = [new MemorySink('empty'), new MemorySink('away'), new MemorySink('good')]
  const { chunks, ids, pack } = await smallPack([good])
  away.before = () => {
    throw away.error('unreachable')
  }
  const problems: Error[] = []
  const reader = await chunks.read(pack, [empty, away, good], (error) => problems.push(error))
  for (const [i, id] of ids.entries()) expect(Buffer.from(await reader.read(id))).toEqual(PLAINS[i])
  expect(problems.map((error) => 'sink' in error && error.sink)).toEqual(['empty', 'away'])
})

test("one pack's bytes under another's key are found out", async () => {
  const sink = new MemorySink('one')
  const { chunks, ids, pack } = await smallPack([sink])
  const other = await smallPack([sink])
  const [ours, theirs] = [packKey(pack.name), packKey(other.pack.name)]
  sink.objects.set(ours, sink.objects.get(theirs) ?? Buffer.alloc(0))
  const problems: Error[] = []
  const reader = await chunks.read(pack, [sink], (error) => problems.push(error))
  // The same plain bytes at the same places, under another run key: whichever is given, it is what the id says.
  for (const [i, id] of ids.entries()) expect(Buffer.from(await reader.read(id))).toEqual(PLAINS[i])
  const different = await MemoryChunks.create(keys)
  different.add(Buffer.from('another first chunk'))
  const swapped = different.finish([sink])
  sink.objects.set(ours, sink.objects.get(packKey(swapped.name)) ?? Buffer.alloc(0))
  const again = await chunks.read(pack, [sink], (error) => problems.push(error))
  await expect(again.read(ids[0] ?? Buffer.alloc(32))).rejects.toMatchObject({ code: 'missing', key: ours })
  expect(problems).toEqual([expect.objectContaining({ code: 'corrupt', key: ours })])
})

test('another vault’s keys open nothing; an extra recipient’s own pair opens its run', async () => {
  const sink = new MemorySink('one')
  const { chunks, ids, pack } = await smallPack([sink], [strangers.publicKey])
  const id = ids[0] ?? Buffer.alloc(32)
  const pairOf = { ...keys, publicKey: strangers.publicKey, secretKey: strangers.secretKey }
  const extra = await chunks.read(pack, [sink], () => undefined, pairOf)
  expect(Buffer.from(await extra.read(id))).toEqual(PLAINS[0])
  const alone = await smallPack([sink])
  const problems: Error[] = []
  const locked = await alone.chunks.read(alone.pack, [sink], (error) => problems.push(error), pairOf)
  await expect(locked.read(id)).rejects.toMatchObject({ code: 'missing' })
  expect(problems).toEqual([expect.objectContaining({ message: expect.stringContaining('no run key') })])
})

test('a header of hundreds of recipients is read whole', async () => {
  const sink = new MemorySink('one')
  const { chunks, ids, pack } = await smallPack([sink], Array(300).fill(strangers.publicKey))
  const reader = await chunks.read(pack, [sink])
  for (const [i, id] of ids.entries()) expect(Buffer.from(await reader.read(id))).toEqual(PLAINS[i])
})

test('a chunk that no pack has is missing', async () => {
  const reader = await ChunkReader.open({
    sinks: [new MemorySink('one')],
    keys,
    locations: new ChunkLocations(),
    onProblem: () => undefined,
  })
  await expect(reader.read(Buffer.alloc(32))).rejects.toMatchObject({ code: 'missing' })
})

test('an abort ends the reading with its reason', async () => {
  const sink = new MemorySink('one')
  const { ids, pack } = await smallPack([sink])
  const locations = new ChunkLocations()
  locations.add(pack.name, pack.footer)
  const stop = new AbortController()
  const problems: Error[] = []
  const reader = await ChunkReader.open({
    sinks: [sink],
    keys,
    locations,
    onProblem: (error) => problems.push(error),
    signal: stop.signal,
  })
  sink.before = () => stop.abort(new Error('enough'))
  await expect(reader.read(ids[0] ?? Buffer.alloc(32))).rejects.toThrow('enough')
  expect(problems).toEqual([])
})

test.for(['unreachable', 'timeout', 'throttled', 'unauthorized', 'forbidden', 'protocol'] as const)(
  'a sink that is %s is not taken for one that has lost or damaged something',
  async (code) => {
    const [away, good] = [new MemorySink('away'), new MemorySink('good')]
    const { chunks, ids, pack } = await smallPack([away, good])
    const key = packKey(pack.name)
    away.before = () => {
      throw away.error(code, key)
    }
    const problems: Error[] = []
    const reader = await chunks.read(pack, [away, good], (error) => problems.push(error))
    for (const [i, id] of ids.entries()) expect(Buffer.from(await reader.read(id))).toEqual(PLAINS[i])
    expect(problems).toMatchObject([{ name: 'SinkError', code }])
    expect(problems.map(damagedObject)).toEqual([undefined])

    const alone = await chunks.read(pack, [away, new MemorySink('empty')], (error) => problems.push(error))
    await expect(alone.read(ids[0] ?? Buffer.alloc(32))).rejects.toMatchObject({ code: 'unanswered', key })
    expect(problems.map(damagedObject)).toEqual([
      undefined,
      undefined,
      { sink: 'empty', key, why: 'missing' },
    ])
  },
)

test('a pack that its sink knows to be damaged is one', async () => {
  const sink = new MemorySink('one')
  const { chunks, ids, pack } = await smallPack([sink])
  sink.before = () => {
    throw sink.error('corrupt')
  }
  const problems: Error[] = []
  const reader = await chunks.read(pack, [sink], (error) => problems.push(error))
  await expect(reader.read(ids[0] ?? Buffer.alloc(32))).rejects.toMatchObject({ code: 'missing' })
  expect(problems.map(damagedObject)).toEqual([{ sink: 'one', key: packKey(pack.name), why: 'corrupt' }])
})
