import type { Readable, Writable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import type { ObjectInfo, PutOptions, ReadOptions, Sink, SinkError, SinkOptions } from '@pipe-backup/sink'
import { expect, test } from 'vitest'
import type { MemorySink } from '../test-support/memory-sink.ts'
import { MemorySource } from '../test-support/memory-source.ts'
import { TestVault } from '../test-support/test-vault.ts'

/** How many random interleavings: more to search for days, `INTERLEAVINGS=5000 vitest run …/interleavings.test.ts`. */
const SEEDS = Number(process.env['INTERLEAVINGS'] ?? 4)
const FIRST_SEED = Number(process.env['FIRST_SEED'] ?? 1)
const HOUR_MS = 3_600_000

/** Mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

class Killed extends Error {
  override readonly name = 'Killed'
}

/** A process: what it asks of sinks takes a random while, and at a random point it is killed: from then on nothing is done. */
class Actor {
  readonly #random: () => number
  readonly #maxTurns: number
  #left: number

  /** @param maxTurns - of the event loop, that one operation takes @param operations - before it is killed */
  constructor(random: () => number, maxTurns: number, operations: number) {
    this.#random = random
    this.#maxTurns = maxTurns
    this.#left = operations
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    for (let turns = Math.floor(this.#random() * this.#maxTurns); turns > 0; turns--)
      await new Promise(setImmediate)
    if (this.#left-- <= 0) throw new Killed('killed')
    const result = await work()
    // Done, and killed before it was known.
    if (this.#left === 0 && this.#random() < 0.5) throw new Killed('killed')
    return result
  }
}

/** A sink as one process sees it. */
class ActorSink implements Sink {
  readonly name: string
  readonly appendOnly: boolean
  readonly #sink: MemorySink
  readonly #actor: Actor

  constructor(sink: MemorySink, actor: Actor) {
    this.name = sink.name
    this.appendOnly = sink.appendOnly
    this.#sink = sink
    this.#actor = actor
  }

  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    return this.#actor.step(() => this.#sink.put(key, bytes, options))
  }
  createWriteStream(key: string, options?: PutOptions): Writable {
    return this.#sink.createWriteStream(key, options)
  }
  createReadStream(key: string, options?: ReadOptions): Promise<Readable> {
    return this.#actor.step(() => this.#sink.createReadStream(key, options))
  }
  get(key: string, options?: ReadOptions): Promise<Uint8Array> {
    return this.#actor.step(() => this.#sink.get(key, options))
  }
  head(key: string, options?: SinkOptions): Promise<ObjectInfo | undefined> {
    return this.#actor.step(() => this.#sink.head(key, options))
  }
  async *list(prefix: string, options?: SinkOptions): AsyncGenerator<ObjectInfo> {
    yield* await this.#actor.step(async () => {
      const infos: ObjectInfo[] = []
      for await (const info of this.#sink.list(prefix, options)) infos.push(info)
      return infos
    })
  }
  delete(key: string, options?: SinkOptions): Promise<void> {
    return this.#actor.step(() => this.#sink.delete(key, options))
  }
  async deleteMany(keys: readonly string[], options?: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    for (const key of keys) await this.delete(key, options)
    return new Map()
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Two hosts, two sinks, and a clock that jumps hours at a time. */
class World implements Disposable {
  readonly random: () => number
  /** That of the first host: both see the same sinks. */
  readonly vault: TestVault
  readonly hosts: readonly { vault: TestVault; source: MemorySource }[]
  /** What each snapshot must restore to. */
  readonly texts = new Map<string, Record<string, string>>()
  readonly #clock: { nowMs: number }

  static async create(seed: number): Promise<World> {
    const clock = { nowMs: Date.parse('2026-01-01T00:00:00Z') }
    const vault = await TestVault.create(['one', 'two'], 7, () => new Date(clock.nowMs))
    return new World(seed, clock, vault)
  }

  private constructor(seed: number, clock: { nowMs: number }, vault: TestVault) {
    this.vault = vault
    this.random = random(seed)
    this.#clock = clock
    this.hosts = [vault, vault.anotherHost()].map((vault, i) => ({
      vault,
      source: new MemorySource(`tree${i}`, { steady: `of host ${i}`, more: 'as it was' }),
    }))
  }

  pass(maxHours: number): void {
    this.#clock.nowMs += this.random() * maxHours * HOUR_MS
  }

  /** What any of the hosts might do now. Most live through it. */
  async act(): Promise<void> {
    const { vault, source } = this.#pick(this.hosts)
    const isKilled = this.random() < 0.3
    const maxTurns = this.random() < 0.5 ? 4 : 60
    const actor = new Actor(this.random, maxTurns, isKilled ? Math.floor(this.random() * 60) : 1e6)
    const sinks = vault.sinks.map((sink) => new ActorSink(sink, actor))
    const now = () => new Date(this.#clock.nowMs)
    const what = this.random()
    if (what < 0.5) {
      // Old contents come back: what was condemned may be wanted again.
      source.set('more', `version ${Math.floor(this.random() * 4)} of ${source.name}`)
      const before = await this.#shown()
      await vault.run([source], { sinks, copies: 1, now })
      for (const id of await this.#shown()) {
        // Another may prune it at this very moment.
        if (!before.has(id)) await this.#remember(id).catch(() => undefined)
      }
    } else if (what < 0.6) {
      await vault.heal({ sinks, now })
    } else {
      await vault.prune({
        sinks,
        now,
        graceMs: HOUR_MS,
        compact: this.random() < 0.3,
        choose: (snapshots) =>
          new Set(
            snapshots
              .slice(0, -1)
              .filter(() => this.random() < 0.5)
              .map(({ id }) => id),
          ),
      })
    }
  }

  /** Whatever any sink shows must restore from that sink alone. @returns what does not */
  async prove(): Promise<string[]> {
    const faults: string[] = []
    for (const sink of this.vault.sinks) {
      for (const { id } of await this.vault.snapshots([sink])) {
        try {
          await this.#remember(id)
          const texts = await this.vault.texts([sink], id)
          if (!isDeepStrictEqual(texts, this.texts.get(id))) faults.push(`${sink.name} ${id}: other bytes`)
        } catch (error) {
          faults.push(`${sink.name} ${id}: ${String(error)}`)
        }
      }
    }
    return faults
  }

  [Symbol.dispose](): void {
    for (const { vault } of this.hosts) vault[Symbol.dispose]()
  }

  async #shown(): Promise<Set<string>> {
    return new Set((await this.vault.snapshots()).map(({ id }) => id))
  }

  /** Taken down when it is first seen, from whichever sink. */
  async #remember(id: string): Promise<void> {
    if (this.texts.has(id)) return
    const found = (await this.vault.snapshots()).find((snapshot) => snapshot.id === id)
    if (found) this.texts.set(id, await this.vault.texts(this.vault.sinks, id))
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T
  }
}

test(
  'backups, prunes and healings of two hosts at once, killed at any point: every snapshot that a sink shows restores from it',
  async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const faults = await interleave(seed)
      expect({ seed, faults }).toEqual({ seed, faults: [] })
    }
  },
  24 * HOUR_MS,
)

/** @returns what was wrong */
async function interleave(seed: number): Promise<string[]> {
  const faults: string[] = []
  using world = await World.create(seed)
  for (let round = 0; round < 4; round++) {
    // What goes on at once takes less than a day: a session without a sign of life for so long counts as dead.
    const lives = Array.from({ length: 2 + Math.floor(world.random() * 2) }, async () => {
      for (let acts = 1 + Math.floor(world.random() * 4); acts > 0; acts--) {
        world.pass(1.5)
        try {
          await world.act()
        } catch (error) {
          if (!isUsual(error)) faults.push(String(error))
        }
      }
    })
    await Promise.all(lives)
    world.pass(40)
    faults.push(...(await world.prove()))
  }
  return faults
}

/** Killed, or refused because another prunes. */
function isUsual(reason: unknown): boolean {
  return /killed|has been pruning|is damaged, and what it needs|^SinkError.*is not there/.test(String(reason))
}
