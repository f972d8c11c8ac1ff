import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { selectSnapshot } from '../store/snapshots.ts'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'
import { openSnapshot } from './open-snapshot.ts'

const SLOW_AFTER_MS = 150
const FILES = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`file-${i}`, randomBytes(300_000)]))

/** Gives packs a byte at a time, without end or for so many bytes. @param isDeaf - to its signal @returns the keys that it is asked for */
function trickle(sink: MemorySink, bytes: number, isDeaf: boolean): string[] {
  const get = sink.get.bind(sink)
  const asked: string[] = []
  sink.get = async (key, options) => {
    if (!key.startsWith('packs/')) return await get(key, options)
    asked.push(key)
    for (let i = 0; i < bytes; i++) {
      await options?.onBytes?.(1)
      await sleep(10, undefined, { ref: false })
      if (!isDeaf) options?.signal?.throwIfAborted()
    }
    return await get(key, options)
  }
  return asked
}

async function restore(vault: TestVault, problems: string[]): Promise<Map<string, Buffer>> {
  const { sinks, keys } = vault
  const snapshot = selectSnapshot(await vault.snapshots([vault.sink('two')]), 'latest')
  const onProblem = ({ message }: Error) => void problems.push(message)
  await using reader = await openSnapshot({ sinks, keys, snapshot, onProblem, slowAfterMs: SLOW_AFTER_MS })
  const files = new Map<string, Buffer>()
  for await (const entry of reader.entries()) {
    if (entry.type !== 'file') continue
    const file = await entry.open()
    const bytes = Buffer.alloc(entry.size ?? 0)
    for (let at = 0; at < bytes.length; ) at += await file.read(bytes.subarray(at))
    await file.close()
    files.set(Buffer.from(entry.path).toString(), bytes)
  }
  return files
}

const RESTORED = new Map(Object.entries(FILES).map(([name, bytes]) => [`tree/${name}`, bytes]))
const LINE = 'sink "one" gives less than 1 kB a second: the others are asked before it'

test.for([false, true])(
  'a sink that gives a byte now and then does not hold what another has (deaf: %s)',
  async (isDeaf) => {
    using vault = await TestVault.create(['one', 'two'])
    await vault.run([new MemorySource('tree', FILES)])
    const asked = trickle(vault.sink('one'), Number.POSITIVE_INFINITY, isDeaf)
    const problems: string[] = []
    expect(await restore(vault, problems)).toEqual(RESTORED)
    expect(problems).toEqual([LINE])
    // Once it is known, it is asked for nothing more.
    expect(new Set(asked).size).toBe(1)
  },
)

test('what only a slow sink has is waited for, however slowly it comes', async () => {
  using vault = await TestVault.create(['one', 'two'])
  await vault.run([new MemorySource('tree', FILES)])
  const two = vault.sink('two')
  for (const key of two.keys('packs/')) two.objects.delete(key)
  trickle(vault.sink('one'), 40, false)
  const problems: string[] = []
  expect(await restore(vault, problems)).toEqual(RESTORED)
  expect(problems).toContain(LINE)
})

test('one sink alone is never called slow', async () => {
  using vault = await TestVault.create(['two'])
  await vault.run([new MemorySource('tree', FILES)])
  trickle(vault.sink('two'), 40, false)
  const problems: string[] = []
  expect(await restore(vault, problems)).toEqual(RESTORED)
  expect(problems).toEqual([])
})
