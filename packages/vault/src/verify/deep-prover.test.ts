import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { ChunkKind } from '../format/chunk-codec.ts'
import { encodeFooterContent, footerBytes, writePackFooter } from '../format/pack-format.ts'
import { OpenPool } from '../restore/open-pool.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { HOST, KEYS } from '../test-support/test-host.ts'
import { DeepProver } from './deep-prover.ts'

const MIB = 1024 * 1024

/** A pack with a chunk that is sealed and listed under the id of another, which no host writes. */
async function packWithFalseId(): Promise<Uint8Array> {
  const chunks = await MemoryChunks.create(KEYS)
  chunks.add(Buffer.from('the first'))
  chunks.writer.add(ChunkKind.data, randomBytes(32), Buffer.from('the second'))
  const { length, chunks: listed } = chunks.writer.unfinished()
  const footer = encodeFooterContent({ hostId: Buffer.from(HOST.hostId, 'hex'), chunks: listed })
  expect(footer.length).toBeLessThan(footerBytes(listed.length))
  return chunks.memory.slice(0, writePackFooter(HOST, chunks.header, footer, chunks.memory, length))
}

test('what is wrong with a pack is said, whichever thread has opened it, and nothing of one that is whole', async () => {
  const chunks = await MemoryChunks.create(KEYS, [], 8 * MIB)
  for (let i = 0; i < 7; i++) chunks.add(randomBytes(MIB))
  chunks.add(Buffer.alloc(MIB, 'it compresses '), ChunkKind.manifestNode)
  const { buffer, length } = chunks.finish([])
  const good = new Uint8Array(buffer, 0, length)
  const flipped = good.slice()
  flipped[3 * MIB] = (flipped[3 * MIB] ?? 0) ^ 1
  const falseId = await packWithFalseId()

  const opens = vi.spyOn(OpenPool.prototype, 'open')
  await using prover = await DeepProver.open(KEYS)
  // Threads begin when they have started. What is opened here before is to be the same.
  for (let round = 0; opens.mock.calls.length < 10; round++) {
    await setImmediate()
    const packs = { good, flipped, falseId, 'good again': good }
    const found = await Promise.all(
      Object.entries(packs).map(([name, pack]) => prover.prove(`${name} ${round}`, pack)),
    )
    expect(found).toEqual([
      undefined,
      expect.stringContaining('sealed bytes are damaged'),
      'chunk 1 is not what its id says',
      undefined,
    ])
  }
  opens.mockRestore()
})

test('a pack is opened once, whatever sink it is from', async () => {
  const chunks = await MemoryChunks.create(KEYS)
  chunks.add(Buffer.from('data'))
  const { buffer, length } = chunks.finish([])
  await using prover = await DeepProver.open(KEYS)
  expect(await prover.prove('a pack', new Uint8Array(buffer, 0, length))).toBeUndefined()
  expect(await prover.prove('a pack', new Uint8Array(length))).toBeUndefined()
  expect(await prover.prove('another pack', new Uint8Array(length))).toBeTypeOf('string')
})
