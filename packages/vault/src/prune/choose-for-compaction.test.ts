import { expect, test } from 'vitest'
import { ChunkKind } from '../format/chunk-codec.ts'
import { chooseForCompaction, type PackUse } from './choose-for-compaction.ts'

const HOST = '00112233445566778899aabbccddeeff'
const KIB = 1024
const pack = (name: string, sizeBytes: number, live = 1): PackUse => ({
  name,
  sizeBytes,
  chunkBytes: sizeBytes - 500,
  liveBytes: (sizeBytes - 500) * live,
  kind: ChunkKind.data,
  hostId: HOST,
})
const packs = (count: number, sizeBytes: number, live = 1) =>
  Array.from({ length: count }, (_, i) => pack(`${sizeBytes}-${i}`, sizeBytes, live))
const chosen = (uses: readonly PackUse[]) => chooseForCompaction(uses).flatMap(({ names }) => names)

test('a pack that is mostly dead is moved, whatever its size', () => {
  expect(chosen([pack('large', 15_000 * KIB, 0.4), pack('other', 15_000 * KIB, 0.6)])).toEqual(['large'])
})

test('a pack that is small beside what any pack has around its chunks is not taken for a dead one', () => {
  expect(chosen([pack('tiny', 700)])).toEqual([])
})

test('small packs are put together when there are eight of about one size; a larger one is not moved with them again and again', () => {
  const merged = pack('merged', 2000 * KIB)
  expect(chosen([merged, ...packs(7, 66 * KIB)])).toEqual([])
  const hours = packs(8, 66 * KIB)
  expect(chosen([merged, ...hours])).toEqual(hours.map(({ name }) => name))
})

test('packs of two hosts, and data and nodes, are never put together', () => {
  const others = packs(8, 66 * KIB).map((one, i) => ({
    ...one,
    ...(i % 2 === 0 && { hostId: HOST.replace('00', 'ff') }),
  }))
  expect(chosen(others)).toEqual([])
  expect(
    chosen(
      packs(8, 66 * KIB).map((one, i) => ({ ...one, kind: i % 2 ? ChunkKind.data : ChunkKind.manifestNode })),
    ),
  ).toEqual([])
})
