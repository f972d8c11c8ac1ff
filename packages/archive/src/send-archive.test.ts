import { Readable } from 'node:stream'
import type { Sink } from '@pipe-backup/sink'
import { memorySink } from '@pipe-backup/sink/testing'
import { expect, test } from 'vitest'
import { sendArchive } from './send-archive.ts'
import { keysOf, signerOf } from './test-support/vault-keys.ts'

test('what a sink reads back of an archive does not count as sent', async () => {
  const keys = await keysOf(1)
  const memory = memorySink('memory')
  const reading: Sink = {
    ...memory,
    createWriteStream: (key, options) =>
      memory
        .createWriteStream(key, options)
        .once('prefinish', () => void options?.onBytes?.(memory.objects.get(key)?.bytes.length ?? 0)),
  }
  const shown: number[] = []
  const { sizeBytes, sinks } = await sendArchive({
    time: new Date('2026-11-28T10:00:00.123Z'),
    name: 'bot',
    isTar: true,
    content: Readable.from([Buffer.alloc(100_000), Buffer.alloc(300_000)], { objectMode: false }),
    keys,
    signer: signerOf(keys),
    sinks: [reading],
    copies: 1,
    onSent: (_, bytes) => shown.push(bytes),
  })
  expect(sinks).toMatchObject([{ name: 'memory', state: 'ok', bytesSent: sizeBytes }])
  expect(Math.max(...shown)).toBe(sizeBytes)
})
