import { retain } from '@pipe-backup/retention'
import { type BackupReport, backup, heal, listSnapshots, prune, verify } from '@pipe-backup/vault'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keys, SmallVault } from './small-vault.ts'

const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS
const KEEP = { daily: 5 }
const FLOOR_DAYS = 7

const OFF: readonly (readonly [string, number, string])[] = [
  ['an hour behind', -HOUR_MS, '1 hour behind'],
  ['an hour ahead', HOUR_MS, '1 hour ahead of'],
  ['ten years behind', -10 * YEAR_MS, '3650 days behind'],
  ['ten years ahead', 10 * YEAR_MS, '3650 days ahead of'],
]
const FAR = OFF.slice(2)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

/** A host whose clock is off, on sinks whose clocks are right. */
class Host {
  readonly vault: SmallVault
  readonly made: string[] = []
  readonly said: string[] = []
  offMs = 0

  constructor(vault: SmallVault) {
    this.vault = vault
    this.setClock()
  }

  setClock(): void {
    vi.setSystemTime(this.vault.call.now().getTime() + this.offMs)
  }

  get call() {
    const { vault, said } = this
    const onProblem = (_: string | undefined, error: Error) => void said.push(error.message)
    return { ...vault.call, sinks: vault.stores, now: () => new Date(), onProblem }
  }

  /** A day passes, and it backs up and prunes. */
  async day(): Promise<BackupReport> {
    this.vault.passDays(23 / 24)
    this.vault.live()
    this.setClock()
    const report = await this.backUp()
    const choose = (all: Parameters<typeof retain>[0]) => retain(all, KEEP, { floorDays: FLOOR_DAYS })
    const pruned = await prune({
      ...this.call,
      compact: true,
      choose: (all) => new Set(choose(all).removed),
      keeps: (all) => new Set(choose(all).kept.keys()),
    })
    if (pruned.exitCode !== 0) throw new Error(`the prune: ${JSON.stringify(pruned)}`)
    return report
  }

  async backUp(): Promise<BackupReport> {
    const { vault } = this
    const report = await backup({
      ...this.call,
      onProblem: undefined,
      program: 'test',
      sources: vault.sources(),
      copies: vault.stores.length,
      onSinkProblem: (_, error) => void this.said.push(error.message),
    })
    if (report.snapshot !== null) {
      this.made.push(report.snapshot)
      vault.expected.set(report.snapshot, vault.fingerprint)
    }
    return report
  }

  /** The snapshots that are left, by their number; what was pruned is not to be given any more. */
  async left(): Promise<number[]> {
    const ids = new Set((await listSnapshots({ sinks: this.vault.stores, keys })).map(({ id }) => id))
    for (const id of this.made) if (!ids.has(id)) this.vault.expected.delete(id)
    return this.made.flatMap((id, i) => (ids.has(id) ? [i] : []))
  }
}

/** All that is shown must be whole on each sink. */
async function expectWell(host: Host): Promise<void> {
  const { call, vault } = host
  await host.left()
  for (const store of vault.stores) expect(await vault.flawsOf(store)).toEqual([])
  expect(await heal({ ...call, isNew: () => false })).toMatchObject({ exitCode: 0 })
  expect(await verify({ ...call, onProblem: undefined, deepKeys: keys })).toMatchObject({ exitCode: 0 })
  for (const store of vault.stores) expect(await vault.flawsOf(store)).toEqual([])
}

test.for(OFF)(
  'a clock that is %s for some days takes nothing that the policy keeps',
  async ([, offMs, off]) => {
    const line = (sink: string) => `this machine's clock is ${off} that of sink "${sink}"`
    using vault = await SmallVault.create(2)
    const host = new Host(vault)
    for (let day = 0; day < 10; day++) expect(await host.day()).toMatchObject({ exitCode: 0 })
    const before = await host.left()
    expect(host.said).toEqual([])
    host.offMs = offMs
    for (let day = 0; day < 3; day++) expect(await host.day()).toMatchObject({ exitCode: 0, copies: 2 })
    // Each day's run and prune, of each sink.
    expect(host.said).toEqual(Array.from({ length: 6 }, () => [line('a'), line('b')]).flat())
    const during = await host.left()
    // The good ones of before are there but for those that three days have made old; those of the bad days are, too.
    expect(during).toEqual(expect.arrayContaining([...before.filter((i) => i >= 6), 10, 11, 12]))
    await expectWell(host)
    host.offMs = 0
    for (let day = 0; day < 3; day++) expect(await host.day()).toMatchObject({ exitCode: 0, copies: 2 })
    expect(await host.left()).toEqual(expect.arrayContaining([9, 10, 11, 12, 13, 14, 15]))
    await expectWell(host)
  },
)

test.for(FAR)(
  'a clock that jumps to %s in the middle of a run: a snapshot, or one clear line',
  async ([, offMs]) => {
    for (const at of ['sessions/', 'packs/', 'index/', 'snapshots/']) {
      using vault = await SmallVault.create(2)
      const host = new Host(vault)
      expect(await host.day()).toMatchObject({ exitCode: 0 })
      const [first] = vault.stores
      if (!first) throw new Error('no sink')
      const put = first.put.bind(first)
      first.put = async (key, ...rest) => {
        if (key.startsWith(at)) {
          host.offMs = offMs
          host.setClock()
        }
        await put(key, ...rest)
      }
      vault.live()
      host.said.length = 0
      const report = await host.backUp()
      first.put = put
      if (report.exitCode !== 0) expect(host.said.join()).toMatch(/a day old|clock/)
      host.offMs = 0
      host.setClock()
      expect(await host.day()).toMatchObject({ exitCode: 0, copies: 2 })
      await expectWell(host)
    }
  },
)

test.for(FAR)('a clock that jumps to %s in the middle of a prune', async ([, offMs]) => {
  using vault = await SmallVault.create(2)
  const host = new Host(vault)
  for (let day = 0; day < 9; day++) await host.day()
  const [first] = vault.stores
  if (!first) throw new Error('no sink')
  const deleteMany = first.deleteMany.bind(first)
  first.deleteMany = (keys, options) => {
    host.offMs = offMs
    host.setClock()
    return deleteMany(keys, options)
  }
  expect(await host.day()).toMatchObject({ exitCode: 0 })
  first.deleteMany = deleteMany
  expect(host.offMs).toBe(offMs)
  expect(await host.left()).toEqual(expect.arrayContaining([5, 6, 7, 8, 9]))
  await expectWell(host)
})
