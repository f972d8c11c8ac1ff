import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

// What a sink does not give because it does not answer is neither lost nor damaged.
let vault: TestVault
const source = new MemorySource('tree', { a: { bytes: randomBytes(100_000), mtimeNs: 1n } })
beforeEach(async () => {
  vault = await TestVault.create(['one', 'two'])
  await vault.run([source])
})
afterEach(() => vault[Symbol.dispose]())

/** From now on a sink answers listings, and gives nothing with this prefix. */
function stops(name: string, prefix: string): void {
  const sink = vault.sink(name)
  sink.puts.length = 0
  sink.before = (operation, key) => {
    if (operation === 'get' && key.startsWith(prefix)) throw sink.error('unreachable', key)
  }
}

function flip(name: string, key: string): void {
  const bytes = vault.sink(name).objects.get(key) ?? Buffer.alloc(1)
  bytes[40] = (bytes[40] ?? 0) ^ 1
  vault.sink(name).objects.set(key, bytes)
}

const book = () => {
  try {
    return readFileSync(join(vault.stateDirectory, 'damage.json'), 'utf8')
  } catch {
    return ''
  }
}

test.for(['packs/', 'snapshots/', 'index/'])(
  'a heal stores nothing again on a sink that does not give %s, and calls nothing lost',
  async (prefix) => {
    const before = vault.sink('one').keys()
    stops('one', prefix)
    vault.sink('two').objects.delete(vault.sink('two').keys(prefix)[0] ?? '')
    const report = await vault.heal()
    expect(report.lost).toEqual([])
    expect(vault.sink('one').puts.filter((key) => !key.startsWith('sessions/'))).toEqual([])
    expect(vault.sink('one').keys()).toEqual(before)
    expect(report.sinks.every(({ state }) => state === 'level')).toBe(false)
    expect(book()).not.toContain('"one":{"cursor":0,"damaged":{"')
  },
)

test('a damaged pack that only a sink which does not answer has whole is neither lost nor removed', async () => {
  const [pack = ''] = vault.sink('two').keys('packs/')
  flip('two', pack)
  stops('one', 'packs/')
  const damaged = [{ sink: 'two', key: pack, why: 'corrupt' }] as const
  const report = await vault.heal({ damaged })
  expect(report).toMatchObject({ lost: [], exitCode: 1 })
  expect(report.sinks.find(({ name }) => name === 'two')?.state).toBe('behind')
  expect(vault.sink('two').keys()).toContain(pack)
  vault.sink('one').before = undefined
  expect(await vault.heal()).toMatchObject({ exitCode: 0 })
  expect(vault.sink('two').objects.get(pack)).toEqual(vault.sink('one').objects.get(pack))
})

test('a run keeps no word against a sink that does not give its packs', async () => {
  const [pack = ''] = vault.sink('two').keys('packs/')
  vault.sink('two').objects.delete(pack)
  stops('one', 'packs/')
  await vault.run([source])
  expect(book()).not.toContain('corrupt')
  vault.sink('one').before = undefined
  expect(await vault.run([source])).toMatchObject({ exitCode: 0 })
  expect(vault.sink('two').keys()).toContain(pack)
})

test('a prune keeps an index that no sink gave', async () => {
  stops('one', 'index/')
  stops('two', 'index/')
  const before = vault.sinks.map((sink) => sink.keys('index/'))
  await vault.prune({ stateDirectory: join(vault.stateDirectory, 'other') })
  expect(vault.sinks.map((sink) => sink.keys('index/'))).toEqual(before)
})

test.for([false, true])(
  'a verification, deep %s, fails for that sink and finds nothing damaged',
  async (deep) => {
    stops('one', 'packs/')
    const report = await vault.verify({ deep })
    expect(report.sinks.map(({ name, state, problems }) => [name, state, problems])).toEqual([
      ['one', 'failed', []],
      ['two', 'ok', []],
    ])
    expect(book()).not.toContain('"one":{"cursor":0,"damaged":{"')
  },
)

test('a manifest that can not be read because the sink stops answering is not called wrong', async () => {
  const sink = vault.sink('one')
  let packsRead = 0
  sink.before = (operation, key) => {
    if (operation === 'get' && key.startsWith('packs/') && ++packsRead > sink.keys('packs/').length)
      throw sink.error('unreachable', key)
  }
  const report = await vault.verify({ deep: true, sinks: [sink] })
  expect(report.sinks).toMatchObject([{ name: 'one', state: 'failed', problems: [] }])
})
