import type { ObjectInfo } from '@pipe-backup/sink'
import { expect, test } from 'vitest'
import type { MemorySink } from './test-support/memory-sink.ts'
import { MemorySource } from './test-support/memory-source.ts'
import { TestVault } from './test-support/test-vault.ts'

const source = new MemorySource('tree', { a: 'the first', 'd/b': 'the second '.repeat(20) })

/** Shows objects that are not there. */
function listAlso(sink: MemorySink, objects: readonly ObjectInfo[]): void {
  const list = sink.list.bind(sink)
  sink.list = async function* (prefix, options) {
    yield* list(prefix, options)
    for (const object of objects) if (object.key.startsWith(prefix)) yield object
  }
}

test('a trash object that is listed and can not be had holds nobody up', async () => {
  using vault = await TestVault.create(['bad', 'good'])
  const key = 'trash/20261123t100000z-0123456789abcdef'
  listAlso(vault.sink('bad'), [{ key, sizeBytes: 500, storedAt: new Date() }])
  expect(await vault.run([source])).toMatchObject({ copies: 2 })
  expect(vault.sinkProblems).toEqual([
    { sink: 'bad', error: expect.objectContaining({ code: 'missing', key }) },
  ])
  expect(await vault.prune()).toMatchObject({
    exitCode: 3,
    sinks: [
      { name: 'bad', state: 'failed', error: expect.stringContaining(key) },
      { name: 'good', state: 'pruned' },
    ],
  })
})
