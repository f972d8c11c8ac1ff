import { deriveKeys } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { packKey } from '../format/pack-format.ts'
import { MemoryChunks } from '../test-support/memory-chunks.ts'
import { MemorySink } from '../test-support/memory-sink.ts'
import { flips, truncations } from '../test-support/outcome.ts'
import { readPackFooter } from './read-pack-footer.ts'

const keys = await deriveKeys(new Uint8Array(32).fill(5))

test('any flipped byte of header, footer or end, and any cut, is found and the pack named', async () => {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys)
  chunks.add(Buffer.from('a chunk'))
  const chunksEnd = chunks.writer.length
  const pack = chunks.finish([sink])
  const key = packKey(pack.name)
  const bytes = sink.objects.get(key) ?? Buffer.alloc(0)
  for (const { at, damaged } of [...flips(bytes), ...truncations(bytes)]) {
    sink.objects.set(key, damaged)
    const reading = readPackFooter(sink, pack.name, damaged.length, keys)
    const inChunks = damaged.length === bytes.length && at >= chunks.header.length && at < chunksEnd
    if (inChunks) expect(Uint8Array.from(await reading)).toEqual(pack.footer)
    else await expect(reading).rejects.toMatchObject({ code: 'corrupt', sink: 'one', key })
  }
})

test('a footer and a header longer than is guessed are read whole', async () => {
  const sink = new MemorySink('one')
  const chunks = await MemoryChunks.create(keys, Array(300).fill(keys.publicKey))
  for (let i = 0; i < 2000; i++) chunks.add(Buffer.from(`chunk ${i}`))
  const pack = chunks.finish([sink])
  expect(Uint8Array.from(await readPackFooter(sink, pack.name, pack.length, keys))).toEqual(pack.footer)
})

test('a sink’s own failure is its own error', async () => {
  const sink = new MemorySink('one')
  await expect(readPackFooter(sink, 'ab'.repeat(32), 1000, keys)).rejects.toMatchObject({
    name: 'SinkError',
    code: 'not-found',
  })
})
