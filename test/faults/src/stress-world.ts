import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { retain } from '@pipe-backup/retention'
import { type Sink, SinkError } from '@pipe-backup/sink'
import {
  type FaultKind,
  faultySink,
  type Injection,
  injectFault,
  type MemorySink,
  memorySink,
} from '@pipe-backup/sink/testing'
import { initVault } from '@pipe-backup/vault'
import { inTime } from './in-time.ts'
import { seeded } from './simulated-server.ts'
import { keys } from './small-vault.ts'
import { Thief } from './stress-harm.ts'
import { type Expectation, StressHost } from './stress-host.ts'
import { pinnedOn } from './stress-marks.ts'
import { Oracle } from './stress-oracle.ts'
import { Interruption, type InterruptionOptions, watchedSink } from './stress-sinks.ts'
import { StressTally } from './stress-tally.ts'

const START_MS = Date.parse('2026-01-01T00:00:00Z')
/** What may be thrown by an operation: all else is a fault of the program. */
const TYPED = new Set(['SinkError', 'VaultError'])
/** A sink that does one of these has not reported it to the operation. */
const LYING: ReadonlySet<FaultKind> = new Set([
  'lost-write',
  'half-write',
  'lost-delete',
  'stale-list',
  'short-read',
])
export const KEEP = { last: 2, daily: 3, weekly: 1 } as const
export const RETENTION = { timeZone: 'UTC', floorDays: 7 } as const

type StoredObject = MemorySink['objects'] extends Map<string, infer T> ? T : never

/** How an operation is to go wrong. */
export interface Trouble {
  readonly fault?: (Injection & { readonly on: string }) | undefined
  readonly interruption?: InterruptionOptions | undefined
}

/** An operation, as the program is asked for it. */
export interface Operation<T> {
  readonly what: string
  readonly host: StressHost
  readonly prunes?: boolean
  readonly act: (sinks: readonly Sink[], signal: AbortSignal) => Promise<T>
}

/** What became of an operation; a result only where it ended by itself. */
export interface Ended<T> {
  readonly result?: T | undefined
  /** Whether a sink has lied to it: what it says may be wrong. */
  readonly wasLiedTo: boolean
  /** Whether a sink was away, or failed. */
  readonly isPartial: boolean
}

/** A vault of a few hosts and sinks, on a clock of its own, and what is known of it without asking the program. */
export class StressWorld implements Disposable {
  readonly random: () => number
  readonly oracle: Oracle = new Oracle()
  readonly tally: StressTally = new StressTally()
  readonly stores: readonly MemorySink[]
  readonly hosts: readonly StressHost[]
  readonly thief: Thief
  /** By host id and time: also those of runs that were killed. */
  readonly expected: Map<string, Expectation> = new Map()
  /** By host id: what each host that there ever was may do. */
  readonly roles: Map<string, StressHost['role']> = new Map()
  /** Names of the sinks that do not answer. */
  readonly away: Set<string> = new Set()
  /** What a sink held when a copy was made of it, by its name. */
  readonly images: Map<string, readonly (readonly [string, StoredObject])[]> = new Map()
  /** How far the sinks' clocks are off, in milliseconds. */
  readonly skewsMs: Map<string, number> = new Map()
  /** What was not as it must be: empty when all is well. */
  readonly violations: string[] = []
  /** What was done, a line for each step. */
  readonly log: string[] = []
  /** The `vault.json` of this vault. */
  header: Uint8Array | undefined
  readonly #directory: string
  #nowMs = START_MS

  static async create(seed: number, directory: string): Promise<StressWorld> {
    const world = new StressWorld(seed, directory)
    await initVault({ sinks: world.stores, publicKey: keys.publicKey })
    world.header = world.stores[0]?.objects.get('vault.json')?.bytes
    return world
  }

  private constructor(seed: number, directory: string) {
    this.random = seeded(seed)
    this.#directory = mkdtempSync(join(directory, 'pipe-backup-stress-'))
    this.stores = ['a', 'b', 'c'].map((name) => memorySink(name, () => this.sinkTime(name)))
    const roles = { one: 'maintain', two: 'write', three: 'maintain' } as const
    this.hosts = Object.entries(roles).map(
      ([name, role]) => new StressHost(name, role, this.#directory, this.random),
    )
    this.thief = new Thief(this.random, this.oracle)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** By the right clock, which nobody has. */
  passTime(ms: number): void {
    this.#nowMs += Math.ceil(ms)
  }

  sinkTime(name: string): Date {
    return new Date(this.#nowMs + (this.skewsMs.get(name) ?? 0))
  }

  timeOf({ skewMs }: StressHost): Date {
    return new Date(this.#nowMs + skewMs)
  }

  /** What every call of the vault needs. */
  callOf(host: StressHost) {
    return {
      host: host.identity,
      keys,
      vaultId: host.identity.vaultId,
      hostName: host.name,
      stateDirectory: host.stateDirectory,
      now: () => this.timeOf(host),
    }
  }

  store(name: string): MemorySink {
    const store = this.stores.find((one) => one.name === name)
    if (!store) throw new Error(`there is no sink ${name}`)
    return store
  }

  violate(what: string): void {
    this.violations.push(`step ${this.log.length}: ${what}`)
  }

  /** Whether a sink says that it holds this vault: all that the file says counts, and not whether its line ends. */
  isHeaded({ objects }: MemorySink): boolean {
    const own = objects.get('vault.json')?.bytes
    return own !== undefined && this.header !== undefined && isDeepStrictEqual(said(own), said(this.header))
  }

  /**
   * Keys of the snapshots that a prune may not take, as the policy has it: what it goes by is when those sinks that it sees have stored them.
   * @param failing - a sink that it may see or not: what is kept in one of the two cases alone may go
   */
  keptByPolicy(failing?: string): Set<string> {
    const seen = this.stores.filter((store) => !this.away.has(store.name) && this.isHeaded(store))
    const kept = this.#keptOn(seen)
    if (failing === undefined) return kept
    return kept.intersection(this.#keptOn(seen.filter(({ name }) => name !== failing)))
  }

  #keptOn(stores: readonly MemorySink[]): Set<string> {
    const shown = [...this.oracle.shownBy(stores)].map(([key, head]) => {
      const holders = stores.filter((store) => this.oracle.headOn(store, key))
      const times = holders.flatMap(({ objects }) => objects.get(key)?.storedAt.getTime() ?? [])
      if (head.firstStored !== undefined) times.push(Date.parse(head.firstStored))
      return { ...head, time: new Date(head.time), storedAt: new Date(Math.min(...times)) }
    })
    const { kept } = retain(shown, KEEP, RETENTION)
    return new Set(shown.flatMap(({ id, key }) => (kept.has(id) ? [key] : []))).union(pinnedOn(this, stores))
  }

  /** Performs one operation, or several at once, and looks whether what was there before is there still. */
  async perform<T>(
    operations: readonly Operation<T>[],
    { fault, interruption }: Trouble,
  ): Promise<Ended<T>[]> {
    for (const { identity, role } of this.hosts) this.roles.set(identity.hostId, role)
    const unseen = new Set(this.away)
    if (fault) unseen.add(fault.on)
    // A sink that does not show which vault it holds is none to prune, or to read; only a healing writes that again.
    if (!operations.every(({ what }) => what.startsWith('heal')))
      for (const store of this.stores) if (!this.isHeaded(store)) unseen.add(store.name)
    const wasLiedTo = fault !== undefined && LYING.has(fault.kind)
    const isPruned = operations.some(({ prunes }) => prunes)
    const kept = isPruned ? this.keptByPolicy(fault?.on) : undefined
    const before = this.#protected(unseen, wasLiedTo ? fault.on : undefined)
    const ended = await Promise.all(
      operations.map((operation, i) => this.#performOne(operation, i === 0 ? { fault, interruption } : {})),
    )
    for (const key of before)
      if ((kept?.has(key) ?? true) && !this.oracle.isIntact(this.stores, key))
        this.violate(
          `${key} was intact before ${operations.map(({ what }) => what).join(' and ')}, and is not after it`,
        )
    return ended.map((result) => ({ result, wasLiedTo, isPartial: unseen.size > 0 }))
  }

  /**
   * What must outlast an operation, whatever befalls it: what those sinks that it sees have together, and what any other has by itself.
   * Nobody can know that one sink's snapshot needs another's pack while the one is away.
   */
  #protected(unseen: ReadonlySet<string>, liar: string | undefined): Set<string> {
    const seen = this.oracle.intactOn(this.stores.filter(({ name }) => !unseen.has(name)))
    for (const store of this.stores)
      if (unseen.has(store.name) && store.name !== liar)
        for (const key of this.oracle.intactOn([store])) seen.add(key)
    return seen
  }

  async #performOne<T>(
    { what, host, act }: Operation<T>,
    { fault, interruption: options }: Trouble,
  ): Promise<T | undefined> {
    let thaw: (() => void) | undefined
    const interruption = new Interruption(
      options && {
        ...options,
        onKill: () => {
          thaw = host.freezeState()
        },
      },
    )
    const sinks = this.stores.map((store) =>
      watchedSink(this.#faulty(store, fault), interruption, (key, bytes) => this.oracle.record(key, bytes)),
    )
    const result = await inTime(act(sinks, interruption.signal))
    thaw?.()
    if (interruption.hasStruck) {
      // What it remembers of its last run is not known.
      host.newest.clear()
      this.tally.interruptions.add(
        `${options?.kind === 'abort' ? 'aborted' : 'killed'} ${what.split(' ', 1).join()}`,
      )
      return undefined
    }
    if (!(result instanceof Error)) return result
    this.log.push(`  (${what}: ${result.message})`)
    if (!TYPED.has(result.name)) this.violate(`${what} throws ${result.stack ?? String(result)}`)
    return undefined
  }

  #faulty(store: MemorySink, fault: Trouble['fault']): Sink {
    const { name } = store
    if (this.away.has(name))
      return faultySink(store, () => ({ before: new SinkError('unreachable', 'is away', { sink: name }) }))
    if (fault?.on !== name) return store
    const { sink, fired } = injectFault(store, fault)
    // Read when the step is over.
    this.#fired.push({ kind: fault.kind, fired })
    return sink
  }

  #fired: { readonly kind: FaultKind; readonly fired: readonly string[] }[] = []

  /** Counts the faults that have struck since the last time. */
  countFaults(): void {
    for (const { kind, fired } of this.#fired) if (fired.length > 0) this.tally.faults.add(kind, fired.length)
    this.#fired = []
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** What a `vault.json` says; its bytes where that is no JSON. */
function said(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return bytes
  }
}
