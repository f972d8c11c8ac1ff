import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveKeys, type VaultKeys } from '@pipe-backup/crypto'
import { retain } from '@pipe-backup/retention'
import { type Sink, SinkError } from '@pipe-backup/sink'
import { faultySink, type MemorySink, memorySink } from '@pipe-backup/sink/testing'
import {
  backup,
  createVaultHost,
  heal,
  initVault,
  listSnapshots,
  prune,
  type VaultHost,
  verify,
} from '@pipe-backup/vault'
import { bytesOf, restored } from './restored.ts'
import { SimulatedServer, seeded } from './simulated-server.ts'

const HOUR_MS = 3_600_000
const START_MS = Date.parse('2026-01-01T00:00:00Z')
const KEEP = { hourly: 24, daily: 7, weekly: 4, monthly: 12 }
/** A part of all packs for each hour: all of them in 50. */
const SAMPLE = 0.02

export interface LifeOptions {
  readonly hours: number
  readonly seed: number
  readonly onMonth?: (report: LifeReport) => void
}

export interface LifeReport {
  readonly hours: number
  readonly snapshotsMade: number
  readonly snapshotsKept: number
  readonly outages: number
  readonly flips: number
  readonly repaired: number
  /** Flips in what a prune deleted before anybody read it. */
  readonly pruned: number
  /** Hours from a flip to its repair, the most; the time that its sink was away not counted. */
  readonly slowestRepair: number
  readonly bytesOfSinks: readonly number[]
  readonly maxBytes: number
  /** What went wrong: empty when all is well. */
  readonly faults: readonly string[]
}

interface Flip {
  readonly sink: number
  readonly key: string
  readonly rotten: Uint8Array
  hours: number
}

/** Hourly runs on a clock that is turned on by the simulation, with sinks that go away and rot. */
export async function simulateLife(options: LifeOptions): Promise<LifeReport> {
  const life = new Life(options)
  try {
    return await life.run()
  } finally {
    life.tidy()
  }
}

class Life {
  readonly #options: LifeOptions
  readonly #random: () => number
  readonly #server: SimulatedServer
  readonly #stores: MemorySink[]
  readonly #sinks: Sink[]
  readonly #stateDirectory = mkdtempSync(join(tmpdir(), 'pipe-backup-life-'))
  /** Until which hour each sink is away. */
  readonly #awayUntil = [0, 0, 0]
  readonly #expected = new Map<string, string>()
  readonly #faults: string[] = []
  /** How many prunes each sink has missed. */
  readonly #notPruned = new Map<string, number>()
  #flips: Flip[] = []
  #hour = 0
  #made = 0
  #outages = 0
  #flipped = 0
  #repaired = 0
  #pruned = 0
  #slowest = 0
  #maxBytes = 0
  #keys: VaultKeys | undefined
  #host: VaultHost | undefined

  constructor(options: LifeOptions) {
    this.#options = options
    this.#random = seeded(options.seed)
    this.#server = new SimulatedServer(this.#random)
    this.#stores = ['a', 'b', 'c'].map((name) => memorySink(name, () => this.#now()))
    this.#sinks = this.#stores.map((store, i) =>
      faultySink(store, () =>
        this.#isAway(i) ? { before: new SinkError('unreachable', 'is away', { sink: store.name }) } : {},
      ),
    )
  }

  tidy(): void {
    rmSync(this.#stateDirectory, { recursive: true, force: true })
  }

  async run(): Promise<LifeReport> {
    this.#keys = await deriveKeys(new Uint8Array(32).fill(9))
    this.#host = createVaultHost(this.#keys)
    await initVault({ sinks: this.#sinks, publicKey: this.#keys.publicKey })
    for (this.#hour = 1; this.#hour <= this.#options.hours; this.#hour++) {
      await this.#liveOneHour()
      if (this.#hour % 730 === 0) this.#options.onMonth?.(await this.#report())
    }
    await this.#settle()
    await this.#proveAll()
    return await this.#report()
  }

  async #liveOneHour(): Promise<void> {
    this.#server.live()
    if (this.#random() < 1 / 60) this.#sendAway()
    const day = this.#hour % 24
    if (day === 3) this.#flip()
    await this.#backUp()
    if (day === 5) await this.#prune()
    const verified = await verify({ ...this.#vault(), sinks: this.#sinks, sample: SAMPLE })
    if (verified.exitCode !== 0) await this.#heal()
    this.#lookAtFlips()
    for (const store of this.#stores) this.#maxBytes = Math.max(this.#maxBytes, bytesOf(store))
  }

  #now(): Date {
    return new Date(START_MS + this.#hour * HOUR_MS)
  }

  #isAway(sink: number): boolean {
    return (this.#awayUntil[sink] ?? 0) > this.#hour
  }

  /** One at a time, for an hour up to three days: with two away and a third rotten no program could help. */
  #sendAway(): void {
    if (this.#awayUntil.some((until) => until > this.#hour)) return
    this.#outages++
    this.#awayUntil[Math.floor(this.#random() * 3)] = this.#hour + 1 + Math.floor(this.#random() ** 3 * 72)
  }

  #flip(): void {
    const sink = Math.floor(this.#random() * 3)
    const store = this.#stores[sink]
    const keys = [...(store?.objects.keys() ?? [])].sort()
    const key = keys[Math.floor(this.#random() * keys.length)]
    const object = key === undefined ? undefined : store?.objects.get(key)
    if (!store || key === undefined || !object) return
    // Twice the same bit would be no damage, and the same object on two sinks at once more than a day's bad luck.
    if (this.#flips.some((flip) => flip.key === key)) return
    const rotten = Uint8Array.from(object.bytes)
    const at = Math.floor(this.#random() * rotten.length)
    rotten[at] = (rotten[at] ?? 0) ^ (1 << Math.floor(this.#random() * 8))
    store.objects.set(key, { ...object, bytes: rotten })
    this.#flips.push({ sink, key, rotten, hours: 0 })
    this.#flipped++
  }

  async #backUp(): Promise<void> {
    const before = this.#server.fingerprint()
    const report = await backup({
      ...this.#vault(),
      sinks: this.#sinks,
      program: 'simulation',
      sources: this.#server.sources(),
      copies: 2,
    })
    if (report.snapshot === null || report.exitCode === 1) {
      this.#faults.push(`hour ${this.#hour}: no snapshot on two sinks: ${JSON.stringify(report.sinks)}`)
      return
    }
    this.#made++
    this.#expected.set(report.snapshot, before)
  }

  async #prune(): Promise<void> {
    const report = await prune({
      ...this.#vault(),
      sinks: this.#sinks,
      compact: true,
      choose: (snapshots) => new Set(retain(snapshots, KEEP, { timeZone: 'UTC', floorDays: 7 }).removed),
    }).catch((error: unknown) => String(error))
    for (const [i, { name }] of this.#stores.entries()) {
      const state =
        typeof report === 'string' ? report : report.sinks.find((sink) => sink.name === name)?.state
      // What is rotten may be in the way of one prune: it is healed within the hour. Of a second it may not.
      const failed = state === 'pruned' || this.#isAway(i) ? 0 : (this.#notPruned.get(name) ?? 0) + 1
      this.#notPruned.set(name, failed)
      if (failed > 1)
        this.#faults.push(`hour ${this.#hour}: sink ${name} was not pruned: ${JSON.stringify(report)}`)
    }
  }

  async #heal(): Promise<void> {
    await heal({ ...this.#vault(), sinks: this.#sinks, isNew: () => false })
  }

  #lookAtFlips(): void {
    this.#flips = this.#flips.filter((flip) => {
      const now = this.#stores[flip.sink]?.objects.get(flip.key)
      if (!this.#isAway(flip.sink)) flip.hours++
      if (now && Buffer.compare(now.bytes, flip.rotten) === 0) return true
      if (now) {
        this.#repaired++
        this.#slowest = Math.max(this.#slowest, flip.hours)
      } else this.#pruned++
      return false
    })
  }

  /** All sinks are back, and everything is looked at once. */
  async #settle(): Promise<void> {
    this.#awayUntil.fill(0)
    await verify({ ...this.#vault(), sinks: this.#sinks })
    const healed = await heal({ ...this.#vault(), sinks: this.#sinks, isNew: () => false })
    if (healed.exitCode !== 0) this.#faults.push(`not level in the end: ${JSON.stringify(healed)}`)
    // A sink that has been away until now still shows what went meanwhile.
    await this.#prune()
    this.#lookAtFlips()
    if (this.#flips.length > 0)
      this.#faults.push(`not repaired: ${this.#flips.map(({ key }) => key).join(', ')}`)
  }

  /** Every snapshot that is kept must restore byte for byte from every sink alone. */
  async #proveAll(): Promise<void> {
    const { keys } = this.#vault()
    const kept = (await listSnapshots({ sinks: this.#sinks, keys })).map(({ id }) => id)
    for (const sink of this.#sinks) {
      const shown = await listSnapshots({ sinks: [sink], keys })
      const ids = shown.map(({ id }) => id)
      if (ids.join() !== kept.join()) this.#faults.push(`sink ${sink.name} shows other snapshots`)
      for (const snapshot of shown) {
        const found = await restored([sink], keys, snapshot).catch((error: unknown) => String(error))
        if (found !== this.#expected.get(snapshot.id))
          this.#faults.push(`snapshot ${snapshot.id} of sink ${sink.name}: ${found}`)
      }
    }
  }

  #vault() {
    if (!this.#host || !this.#keys) throw new Error('not begun')
    return {
      host: this.#host,
      keys: this.#keys,
      vaultId: this.#host.vaultId,
      hostName: 'server',
      stateDirectory: this.#stateDirectory,
      now: () => this.#now(),
    }
  }

  async #report(): Promise<LifeReport> {
    const kept = await listSnapshots({ sinks: this.#stores, keys: this.#vault().keys })
    return {
      hours: Math.min(this.#hour, this.#options.hours),
      snapshotsMade: this.#made,
      snapshotsKept: kept.length,
      outages: this.#outages,
      flips: this.#flipped,
      repaired: this.#repaired,
      pruned: this.#pruned,
      slowestRepair: this.#slowest,
      bytesOfSinks: this.#stores.map(bytesOf),
      maxBytes: this.#maxBytes,
      faults: this.#faults,
    }
  }
}
