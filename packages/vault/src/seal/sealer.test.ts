import { randomBytes } from 'node:crypto'
import { deriveKeys, sealTo } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { ChunkKind } from '../format/chunk-codec.ts'
import { encodePackHeader, runKeyId } from '../format/pack-format.ts'
import { derivedKeys } from '../format/vault-host.ts'
import { HOST } from '../test-support/test-host.ts'
import type { FromSealer } from './messages.ts'
import { Sealer } from './sealer.ts'

const vaultKeys = await deriveKeys(new Uint8Array(32).fill(5))

test('a bit that flips in what is sealed, after its id was computed, is a fault, and no pack is given out', async () => {
  const runKey = randomBytes(32)
  const header = encodePackHeader([
    { id: runKeyId(runKey), boxes: [await sealTo(vaultKeys.publicKey, runKey)] },
  ])
  const { nodeIdKey } = await derivedKeys(vaultKeys)
  const said: FromSealer[] = []
  const hostId = Buffer.alloc(16)
  const keys = { runKey, idKey: vaultKeys.idKey, nodeIdKey, host: HOST, header, hostId }
  const sealer = new Sealer(keys, (message) => void said.push(message))
  const memory = new ArrayBuffer(1000)
  const piece = { offset: 0, length: 1000, kind: ChunkKind.data }
  sealer.handle({ type: 'hash', slab: 0, memory, pieces: [piece] })
  new Uint8Array(memory)[500] = 1
  sealer.handle({ type: 'seal', slab: 0, wanted: [0] })
  sealer.handle({ type: 'flush' })
  expect(said.map(({ type }) => type)).toEqual(['ids', 'slab', 'failed'])
  expect(said.at(-1)).toMatchObject({ code: 'fault', hint: expect.stringContaining('memtest') })
})
