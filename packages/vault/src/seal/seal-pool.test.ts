import { randomBytes } from 'node:crypto'
import type { Worker } from 'node:worker_threads'
import { deriveKeys, sealTo } from '@pipe-backup/crypto'
import { expect, test } from 'vitest'
import { ChunkKind } from '../format/chunk-codec.ts'
import { decodeFooterContent, encodePackHeader, runKeyId } from '../format/pack-format.ts'
import { derivedKeys } from '../format/vault-host.ts'
import { HOST } from '../test-support/test-host.ts'
import type { FinishedPack } from './pack-writer.ts'
import { SealPool } from './seal-pool.ts'

const MIB = 1024 * 1024
const vaultKeys = await deriveKeys(new Uint8Array(32).fill(5))

/** Seals pieces of these sizes, a slab for each, one after the other; gives how many threads that took. */
async function seal(
  sizes: readonly number[],
  { isAbandoned = false }: { readonly isAbandoned?: boolean } = {},
): Promise<{ packs: FinishedPack[]; threads: number }> {
  const runKey = randomBytes(32)
  const box = await sealTo(vaultKeys.publicKey, runKey)
  const header = encodePackHeader([{ id: runKeyId(runKey), boxes: [box] }])
  const { nodeIdKey } = await derivedKeys(vaultKeys)
  const { idKey } = vaultKeys
  const packs: FinishedPack[] = []
  await using pool = new SealPool({
    keys: { runKey, idKey, nodeIdKey, host: HOST, header, hostId: Buffer.alloc(16) },
    slabBytes: 4 * MIB,
    wanted: (pieces) => [...pieces.keys()],
    onPack: (pack) => void packs.push(pack),
  })
  for (const [i, length] of sizes.entries()) {
    const memory = await pool.takeSlab()
    const hashed = Promise.withResolvers<unknown>()
    new Uint8Array(memory, 0, length).fill(i)
    pool.submit(memory, [{ offset: 0, length, kind: ChunkKind.data }], hashed.resolve)
    if (isAbandoned) await hashed.promise
    else await pool.idle()
  }
  const threads = process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length
  if (!isAbandoned) await pool.flush()
  return { packs, threads }
}

const chunksOf = (packs: readonly FinishedPack[]) =>
  packs.flatMap(({ footer }) => decodeFooterContent(footer).chunks.map(({ rawLength }) => rawLength))

test('what is little is sealed without a thread', async () => {
  const none = await seal([])
  const sizes = Array.from({ length: 30 }, () => 60_000)
  const { packs, threads } = await seal(sizes)
  expect([none.packs, threads - none.threads]).toEqual([[], 0])
  expect(chunksOf(packs)).toEqual(sizes)
})

test('when it becomes more a thread goes on with the packs that were begun', async () => {
  const none = await seal([])
  const sizes = [...Array.from({ length: 30 }, () => 60_000), ...Array.from({ length: 5 }, () => MIB)]
  const { packs, threads } = await seal(sizes)
  expect(threads - none.threads).toBeGreaterThan(0)
  // As many as are open at a time.
  expect(packs).toHaveLength(2)
  expect(new Set(chunksOf(packs))).toEqual(new Set(sizes))
  expect(chunksOf(packs)).toHaveLength(sizes.length)
})

test('a pool that is closed in the middle of its work lets its threads end by themselves', async () => {
  const codes: number[] = []
  const watch = (worker: Worker): void => void worker.once('exit', (code) => codes.push(code))
  process.on('worker', watch)
  try {
    await seal(
      Array.from({ length: 6 }, () => 4 * MIB),
      { isAbandoned: true },
    )
  } finally {
    process.off('worker', watch)
  }
  // One that is terminated ends with 1.
  expect(codes.length).toBeGreaterThan(0)
  expect(codes.filter((code) => code !== 0)).toEqual([])
})
