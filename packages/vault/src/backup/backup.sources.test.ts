import { SourceError } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { type EntrySpec, MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

const failure = new SourceError('truncated', 'the dump has no end')

test('a source that fails after thousands of entries leaves the others whole', async () => {
  using vault = await TestVault.create()
  const many: Record<string, EntrySpec> = {}
  for (let i = 0; i < 3000; i++) many[`directory-${i}`] = { type: 'directory' }
  many['z-dump.sql'] = { bytes: Buffer.alloc(5_000_000, 'x'), failAt: { bytes: 3_000_000, error: failure } }
  const report = await vault.run([new MemorySource('bad', many), new MemorySource('good', { a: 'A' })])
  expect(report).toMatchObject({ exitCode: 3, sources: [{ state: 'failed' }, { state: 'ok' }] })
  expect(await vault.texts()).toEqual({ 'good/a': 'A' })
})

test('however many sources fail in mid-file, the one behind them is backed up', async () => {
  using vault = await TestVault.create()
  const bad = Array.from(
    { length: 8 },
    (_, i) =>
      new MemorySource(`bad-${i}`, {
        a: `small ${i}`,
        b: { bytes: Buffer.alloc(900_000, `${i}`), failAt: { bytes: 500_000, error: failure } },
      }),
  )
  const report = await vault.run([...bad, new MemorySource('good', { a: 'A' })])
  expect(report.exitCode).toBe(3)
  expect(await vault.texts()).toEqual({ 'good/a': 'A' })
})
