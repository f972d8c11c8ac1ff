import { createHash } from 'node:crypto'
import { deriveKeys } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { ChunkKind } from '../format/chunk-codec.ts'
import { decodeFooterContent } from '../format/pack-format.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { outcomeOf } from '../test-support/outcome.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(5))

test('a pack is named by its bytes, and its footer lists its chunks end to end', async () => {
  const chunks = await MemoryChunks.create(keys)
  chunks.add(Buffer.from('data'))
  chunks.add(Buffer.alloc(5000, 'node '), ChunkKind.manifestNode)
  const end = chunks.writer.length
  const pack = chunks.finish([])
  const bytes = new Uint8Array(pack.buffer, 0, pack.length)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(pack.name)
  const { chunks: listed } = decodeFooterContent(pack.footer)
  expect(listed.map(({ kind, rawLength }) => [kind, rawLength])).toEqual([
    [0, 4],
    [1, 5000],
  ])
  expect(listed.map(({ offset }) => offset)).toEqual([
    chunks.header.length,
    (listed[0]?.offset ?? 0) + (listed[0]?.length ?? 0),
  ])
  expect((listed[1]?.offset ?? 0) + (listed[1]?.length ?? 0)).toBe(end)
})

test('a bit that flips in memory anywhere in header or chunks, before the pack is finished, is a fault', async () => {
  const chunks = await MemoryChunks.create(keys)
  chunks.add(Buffer.from('data'))
  chunks.add(Buffer.alloc(500, 'node '), ChunkKind.manifestNode)
  const end = chunks.writer.length
  for (let at = 0; at < end; at++) {
    const flip = 1 << (at % 8)
    chunks.memory[at] = (chunks.memory[at] ?? 0) ^ flip
    expect([at, outcomeOf(() => chunks.writer.finish())]).toEqual([at, 'fault'])
    chunks.memory[at] = (chunks.memory[at] ?? 0) ^ flip
  }
  expect(outcomeOf(() => chunks.writer.finish())).toBe('returned')
})

test('a fault says that the machine is to be tested', async () => {
  const chunks = await MemoryChunks.create(keys)
  chunks.add(Buffer.from('data'))
  chunks.memory[chunks.writer.length - 1] = (chunks.memory[chunks.writer.length - 1] ?? 0) ^ 1
  expect(() => chunks.writer.finish()).toThrow(
    expect.objectContaining({ code: 'fault', hint: expect.stringContaining('memtest') }),
  )
})

test('a pack has room for a chunk only if the footer fits behind it', async () => {
  const chunks = await MemoryChunks.create(keys, [], 4096)
  let added = 0
  while (chunks.writer.hasRoomFor(10)) {
    chunks.add(Buffer.from(String(added++).padStart(10)))
  }
  expect(added).toBeGreaterThan(10)
  const pack = chunks.finish([new MemorySink('one')])
  expect(pack.length).toBeLessThanOrEqual(4096)
})
