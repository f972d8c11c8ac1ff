import { createHash } from 'node:crypto'
import type { VaultKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { openIndex } from '../format/index-object.ts'
import { hostIdOf, packNameOf } from '../format/pack-format.ts'
import { encodeRevocation, revocationKey } from '../format/revocation.ts'
import { openObject } from '../format/sealed-object.ts'
import { openSnapshotHead, snapshotIdOf } from '../format/snapshot-object.ts'
import { damageOf } from '../store/damage.ts'
import { EachSink } from '../store/each-sink.ts'
import { getObject, listObjects } from '../store/read-sink.ts'
import { learnRevocations } from '../store/revocations.ts'
import { requireVault } from '../store/vault-header.ts'
import { SIGNED_PREFIXES } from './list-hosts.ts'

const OBJECTS_AT_ONCE = 8

export interface RevokeHostOptions {
  readonly sinks: readonly Sink[]
  readonly vaultId: string
  /** The phrase's. */
  readonly keys: VaultKeys
  /** 32 hex digits. */
  readonly hostId: string
  /** What the host has written and no sink held before this, by the sinks' own clocks, is not believed. Default: what is there is. */
  readonly since?: Date | undefined
  /** SHA-256, hex, of what else of the host's is believed: its archives. */
  readonly believed?: Iterable<string> | undefined
  readonly now?: (() => Date) | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each object that could not be read on a sink: what that sink alone has is not believed. */
  readonly onProblem?: ((error: Error) => void) | undefined
}

export interface RevokeReport {
  readonly sinks: readonly { readonly sink: string; readonly error?: Error | undefined }[]
  /** Keys of the host's snapshots that are believed, and of those that are not any more. */
  readonly believed: readonly string[]
  readonly refused: readonly string[]
}

/**
 * Revokes a host whose key was stolen: from then on nothing counts that it signs, but for what was there. Other hosts learn it from
 * any sink before they believe anything.
 * @throws the abort's reason
 */
export async function revokeHost(options: RevokeHostOptions): Promise<RevokeReport> {
  const { sinks, vaultId, keys, hostId, signal, now = () => new Date() } = options
  const { since } = options
  const written = new WrittenObjects(options)
  const each = new EachSink(sinks, signal)
  await each.do(async (sink) => {
    await requireVault(sink, vaultId, signal)
    await learnRevocations(sink, keys, signal)
  })
  await each.do((sink) => written.readFrom(sink))
  const before = written.before(since)
  const believed = new Set([...before.digests, ...(options.believed ?? [])])
  const earlier = keys.revoked.get(hostId)
  const key = revocationKey(hostId)
  const object = encodeRevocation(keys, {
    hostId,
    time: now(),
    believed: earlier ? earlier.intersection(believed) : believed,
  })
  await each.do(async (sink) => {
    await sink.put(key, object, { signal })
  })
  return {
    sinks: sinks.map((sink) => ({ sink: sink.name, error: each.errors.get(sink) })),
    believed: before.snapshots,
    refused: written.snapshots.filter((snapshot) => !before.snapshots.includes(snapshot)),
  }
}

interface Written {
  readonly key: string
  /** By the clock of the sink that has had it longest. */
  firstStored: Date
}

/** What a host has signed, by the SHA-256 of its bytes: what is under one key may differ from sink to sink. */
class WrittenObjects {
  readonly #options: RevokeHostOptions
  readonly #objects = new Map<string, Written>()
  /** Packs of other hosts, which it may have written in a compaction. */
  readonly #packs = new Map<string, Written>()
  readonly #ownPacks = new Set<string>()

  constructor(options: RevokeHostOptions) {
    this.#options = options
  }

  get snapshots(): readonly string[] {
    return snapshotsOf([...this.#objects.values()])
  }

  /** What was there before some time. */
  before(since: Date | undefined): {
    readonly digests: readonly string[]
    readonly snapshots: readonly string[]
  } {
    for (const name of this.#ownPacks) this.#packs.delete(name)
    const old = [...this.#objects, ...this.#packs].filter(
      ([, { firstStored }]) => !since || firstStored < since,
    )
    return { digests: old.map(([digest]) => digest), snapshots: snapshotsOf(old.map(([, object]) => object)) }
  }

  /** @throws SinkError; the abort's reason */
  async readFrom(sink: Sink): Promise<void> {
    const { signal } = this.#options
    for (const prefix of SIGNED_PREFIXES) {
      const listed = await Array.fromAsync(listObjects(sink, prefix, signal))
      await forEachLimited(listed, OBJECTS_AT_ONCE, ({ key, storedAt }) => this.#read(sink, key, storedAt))
    }
    for await (const { key, storedAt } of listObjects(sink, 'packs/', signal)) {
      const name = packNameOf(key)
      if (name !== undefined) add(this.#packs, name, key, storedAt)
    }
  }

  async #read(sink: Sink, key: string, storedAt: Date): Promise<void> {
    const { keys, hostId, signal, onProblem } = this.#options
    try {
      const object = await getObject(sink, key, signal)
      const { author } = openObject(keys, key, object)
      if (key.startsWith('index/'))
        for (const { name, footer } of openIndex(keys, key, object))
          if (hostIdOf(footer) === hostId) this.#ownPacks.add(name)
      if (author.hostId !== hostId) return
      if (key.startsWith('snapshots/')) openSnapshotHead(keys, key, object)
      add(this.#objects, createHash('sha256').update(object).digest('hex'), key, storedAt)
    } catch (error) {
      signal?.throwIfAborted()
      if (damageOf(error) === undefined) throw error
      onProblem?.(toError(error))
    }
  }
}

function add(objects: Map<string, Written>, digest: string, key: string, storedAt: Date): void {
  const known = objects.get(digest)
  if (!known) objects.set(digest, { key, firstStored: storedAt })
  else if (storedAt < known.firstStored) known.firstStored = storedAt
}

function snapshotsOf(objects: readonly Written[]): string[] {
  const keys = new Set(objects.map(({ key }) => key).filter((key) => snapshotIdOf(key) !== undefined))
  return [...keys].sort()
}
