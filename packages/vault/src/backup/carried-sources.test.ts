import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Source, SourceError } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

const HOUR_MS = 3_600_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')
const everyMs = new Map([['chain', 24 * HOUR_MS]])
const hour = (count: number) => ({ everyMs, now: () => new Date(START_MS + count * HOUR_MS) })
const sources = () => ({
  wallet: new MemorySource('wallet', { w: 'as it was' }),
  chain: new MemorySource('chain', { block: randomBytes(300_000), tip: 'one' }),
})

test('a source that is not due is in each snapshot as it was read last, and read again when it is', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const { wallet, chain } = sources()
  await vault.run([wallet, chain], hour(0))
  chain.opened.length = 0
  chain.set('tip', 'two')
  wallet.set('w', 'changed')
  const second = await vault.run([wallet, chain], hour(1))
  expect(second).toMatchObject({
    exitCode: 0,
    sources: [{ name: 'wallet' }, { name: 'chain', bytesRead: 0 }],
  })
  expect(second.sources[1]?.takenAt).toBe(new Date(START_MS).toISOString())
  expect(chain.opened).toEqual([])
  for (const sink of vault.sinks)
    expect(await vault.texts([sink])).toMatchObject({ 'wallet/w': 'changed', 'chain/tip': 'one' })
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })

  await vault.run([wallet, chain], hour(25))
  expect(await vault.texts()).toMatchObject({ 'chain/tip': 'two' })
})

test('a source that is to be read as something else is due at once', async () => {
  using vault = await TestVault.create(['one'])
  const { chain } = sources()
  const as = (readAs: string): Source => ({
    name: chain.name,
    entries: (of) => chain.entries(of),
    readAs,
  })
  await vault.run([as('/here')], hour(0))
  chain.set('tip', 'two')
  await vault.run([as('/here')], hour(1))
  expect(await vault.texts()).toMatchObject({ 'chain/tip': 'one' })
  await vault.run([as('/there')], hour(2))
  expect(await vault.texts()).toMatchObject({ 'chain/tip': 'two' })
})

test('its chunks live as long as any snapshot has it, whatever is pruned', async () => {
  using vault = await TestVault.create(['one'])
  const { wallet, chain } = sources()
  await vault.run([wallet, chain], hour(0))
  const last = await vault.run([wallet, chain], hour(1))
  await vault.prune({ keep: [last.snapshot ?? ''], graceMs: 0 })
  expect(await vault.texts()).toMatchObject({ 'wallet/w': 'as it was', 'chain/tip': 'one' })
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('a compaction moves its chunks, and it is still not read again before it is due', async () => {
  using vault = await TestVault.create(['one', 'two'])
  const { wallet, chain } = sources()
  chain.set('gone', randomBytes(900_000))
  await vault.run([wallet, chain], { now: hour(0).now })
  chain.remove('gone')
  await vault.run([wallet, chain], hour(1))
  chain.opened.length = 0
  const last = await vault.run([wallet, chain], hour(2))
  const report = await vault.prune({ keep: [last.snapshot ?? ''], compact: true, graceMs: 0 })
  expect(report.compacted.from).toBeGreaterThan(0)
  const after = await vault.run([wallet, chain], hour(3))
  expect(after.sources[1]?.takenAt).toBe(hour(1).now().toISOString())
  expect(chain.opened).toEqual([])
  for (const sink of vault.sinks) expect(await vault.texts([sink])).toMatchObject({ 'chain/tip': 'one' })
  expect(await vault.verify({ deep: true })).toMatchObject({ exitCode: 0 })
})

test('without its packs, or without what this host remembers, it is read again', async () => {
  using vault = await TestVault.create(['one'])
  const { wallet, chain } = sources()
  await vault.run([wallet, chain], hour(0))
  for (const [i, spoil] of [
    () => writeFileSync(join(vault.stateDirectory, 'carried.json'), '{"vault":1,"sources":[{}]}'),
    () => {
      // One digit of a root that has changed on a disk: it must not become a snapshot that verifies and does not restore.
      const file = join(vault.stateDirectory, 'carried.json')
      const text = readFileSync(file, 'utf8')
      const at = text.indexOf('"root":"') + 20
      writeFileSync(file, `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`)
    },
    () => {
      for (const key of vault.sink('one').keys('packs/')) vault.sink('one').objects.delete(key)
    },
  ].entries()) {
    spoil()
    const report = await vault.run([wallet, chain], hour(i + 1))
    expect(report.sources[1]?.takenAt).toBeUndefined()
    expect(await vault.texts()).toMatchObject({ 'chain/tip': 'one' })
  }
})

test('before and after: a `before` that fails is a failed source, and `after` is called all the same', async () => {
  using vault = await TestVault.create(['one'])
  const { wallet, chain } = sources()
  const called: string[] = []
  const report = await vault.run([wallet, chain], {
    beforeSource: async (name) => {
      called.push(`before ${name}`)
      if (name === 'chain') throw new SourceError('command-failed', 'not today')
    },
    afterSource: async ({ name, state }) => {
      called.push(`after ${name} ${state}`)
      if (name === 'wallet') throw new Error('could not tidy up')
    },
  })
  expect(called).toEqual(['before wallet', 'after wallet ok', 'before chain', 'after chain failed'])
  expect(report).toMatchObject({
    exitCode: 3,
    sources: [
      { state: 'ok', problems: 1 },
      { state: 'failed', error: 'not today' },
    ],
  })
  expect(vault.problems).toMatchObject([{ source: 'wallet', message: 'could not tidy up' }])
  expect(chain.opened).toEqual([])
})
