import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeIndex } from '../format/index-object.ts'
import { encodeFooterContent, MAX_PACK_CHUNKS, type PackChunk, packKey } from '../format/pack-format.ts'
import { sealObject } from '../format/sealed-object.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { HOST, KEYS } from '../test-support/test-host.ts'
import { ChunkLocations, locateChunks } from './chunk-locations.ts'

const keys = KEYS

/** Few different first bytes: these are what the table is sorted by. */
function idOf(number: number): Uint8Array {
  const id = createHash('sha256').update(String(number)).digest()
  id.writeUInt32LE(number % 3, 0)
  return Uint8Array.from(id)
}

test('every place of a chunk is found, and none of another', () => {
  const chunk = fc.record({ number: fc.nat(15), offset: fc.nat(0xffffffff), rawLength: fc.nat(1000) })
  fc.assert(
    fc.property(fc.array(fc.array(chunk, { maxLength: 10 }), { maxLength: 6 }), (packs) => {
      const locations = new ChunkLocations()
      const written = packs.map((chunks, pack) => {
        const inPack = chunks.map(
          ({ number, offset, rawLength }): PackChunk => ({
            kind: 0,
            runKey: number,
            offset,
            length: rawLength + 41,
            rawLength,
            id: idOf(number),
          }),
        )
        locations.add(
          `pack ${pack}`,
          Uint8Array.from(encodeFooterContent({ hostId: Buffer.alloc(16), chunks: inPack })),
        )
        return inPack
      })
      for (let number = 0; number <= 16; number++) {
        const expected = written.flatMap((chunks, pack) =>
          chunks
            .filter(({ runKey }) => runKey === number)
            .map((found) => ({ pack: `pack ${pack}`, chunk: found })),
        )
        const found = locations
          .find(idOf(number))
          .map(({ pack, chunk: { id, ...rest } }) => ({ pack, chunk: { ...rest, id: Uint8Array.from(id) } }))
        expect(found).toEqual(expected)
      }
    }),
  )
})

test('chunks are found among thousands, in the order of their packs', () => {
  const locations = new ChunkLocations()
  const chunkOf = (number: number): PackChunk => {
    const id = createHash('sha256').update(String(number)).digest()
    return { kind: 0, runKey: 0, offset: number, length: 41, rawLength: 0, id: Uint8Array.from(id) }
  }
  for (let pack = 0; pack < 30; pack++) {
    const chunks = Array.from({ length: pack % 3 === 0 ? 0 : 300 }, (_, i) => chunkOf((pack >> 1) * 300 + i))
    locations.add(`pack ${pack}`, encodeFooterContent({ hostId: Buffer.alloc(16), chunks }))
  }
  for (let number = 0; number < 4500; number++) {
    const half = Math.floor(number / 300) * 2
    const packs = [half, half + 1].filter((pack) => pack % 3 !== 0).map((pack) => `pack ${pack}`)
    const found = locations.find(chunkOf(number).id)
    expect(found.map(({ pack, chunk }) => [pack, chunk.offset])).toEqual(packs.map((pack) => [pack, number]))
  }
})

async function packOn(sinks: readonly MemorySink[], text: string) {
  const chunks = await MemoryChunks.create(keys)
  const id = chunks.add(Buffer.from(text))
  return { id, pack: chunks.finish(sinks) }
}

function putIndex(sink: MemorySink, digits: string, packs: Parameters<typeof encodeIndex>[0]): string {
  const key = `index/${digits.repeat(32)}`
  sink.objects.set(key, sealObject(HOST, key, encodeIndex(packs)))
  return key
}

function locate(sinks: readonly MemorySink[], packs: readonly string[], problems: Error[] = []) {
  return locateChunks({
    sinks,
    keys,
    packs: new Set(packs),
    onProblem: (error) => problems.push(error),
  })
}

test('packs that an index lists are not touched; others are found by their footers', async () => {
  const sink = new MemorySink('one')
  const [listed, unlisted] = [await packOn([sink], 'listed'), await packOn([sink], 'unlisted')]
  putIndex(sink, 'a', [{ name: listed.pack.name, sizeBytes: listed.pack.length, footer: listed.pack.footer }])
  const touched: string[] = []
  sink.before = (operation, key) => void (operation === 'get' && touched.push(key))
  const locations = await locate([sink], [listed.pack.name, unlisted.pack.name])
  expect(locations.find(listed.id)).toHaveLength(1)
  expect(locations.find(unlisted.id)).toHaveLength(1)
  expect(touched).not.toContain(packKey(listed.pack.name))
})

test('an index that lies about a footer is reported, and the pack itself is asked', async () => {
  const sink = new MemorySink('one')
  const { id, pack } = await packOn([sink], 'some bytes')
  const tooMany = Buffer.alloc(20)
  tooMany.writeUInt32LE(MAX_PACK_CHUNKS, 16)
  putIndex(sink, 'a', [{ name: pack.name, sizeBytes: pack.length, footer: tooMany }])
  const problems: Error[] = []
  expect((await locate([sink], [pack.name], problems)).find(id)).toHaveLength(1)
  expect(problems).toEqual([expect.objectContaining({ code: 'corrupt' })])
})

test('a damaged index, or that of another vault, is named and the packs are asked; a second sink’s copy is used', async () => {
  const [one, two] = [new MemorySink('one'), new MemorySink('two')]
  const { id, pack } = await packOn([one, two], 'some bytes')
  const index = { name: pack.name, sizeBytes: pack.length, footer: pack.footer }
  const key = putIndex(one, 'a', [index])
  putIndex(two, 'a', [index])
  one.objects.set(
    key,
    sealObject({ ...HOST, keys: { ...keys, indexKey: new Uint8Array(32) } }, key, encodeIndex([])),
  )
  const problems: Error[] = []
  expect((await locate([one], [pack.name], problems)).find(id)).toHaveLength(1)
  expect(problems).toEqual([expect.objectContaining({ code: 'corrupt', key })])
  two.objects.delete(packKey(pack.name))
  expect((await locate([one, two], [pack.name])).find(id)).toHaveLength(1)
})

test('a pack that no sink has whole enough is reported as missing', async () => {
  const sink = new MemorySink('one')
  const { pack } = await packOn([sink], 'some bytes')
  const key = packKey(pack.name)
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(11),
    Buffer.alloc(1000, 1),
    sink.objects.get(key)?.subarray(0, -1),
  ]) {
    sink.objects.set(key, bytes ?? Buffer.alloc(0))
    const problems: Error[] = []
    await locate([sink], [pack.name], problems)
    expect(problems).toEqual([
      expect.objectContaining({ code: 'corrupt', key, sink: 'one' }),
      expect.objectContaining({ code: 'missing', key }),
    ])
  }
})
