import type { ObjectKeys } from '@pipe-backup/crypto'
import { type ObjectInfo, type PutOptions, type Sink, type SinkError, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { openMark, type SignedMark } from '../format/mark-object.ts'
import { packNameOf } from '../format/pack-format.ts'
import { openSnapshotHead, type SnapshotHead } from '../format/snapshot-object.ts'
import { hasCode } from '../has-code.ts'
import { VaultError } from '../vault-error.ts'
import { type Damage, type DamageKind, damageOf } from './damage.ts'
import type { DamageBook } from './damage-book.ts'
import { CurrentListing, type Listing, type StoredObject } from './listing.ts'
import { putRepaired } from './put-repaired.ts'
import { getObject } from './read-sink.ts'
import { type KnownRevocations, learnRevocations } from './revocations.ts'
import { openSession, type SessionRecord, type VaultSession } from './session.ts'
import { changedInMemory, watchMemory } from './watch-memory.ts'
import { within } from './within.ts'

const HEADS_AT_ONCE = 8
/** For the listings of some millions of objects; one that is as slow as this is of no use in a run that comes each hour. */
const ANSWER_WITHIN_MS = 30 * 60_000

/** What the replicas of a vault have in common during one command. */
export interface ReplicaContext {
  readonly vaultId: string
  readonly keys: ObjectKeys
  /** Stored on each sink before it is listed: a prune that condemns something after this sees us. */
  readonly session?: VaultSession | undefined
  /** This host's own: where the revocations that it has seen are remembered. */
  readonly stateDirectory?: string | undefined
  /** Whether marks are listed too, which costs a request. Default false. */
  readonly withMarks?: boolean | undefined
  /** Where damage is remembered. */
  readonly book?: DamageBook | undefined
  readonly now: () => Date
  /** How long a sink may take until it is listed, and to give one of the small objects. Default half an hour. */
  readonly answerWithinMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each object that is found missing or damaged, once. Default `onProblem`, with its error. */
  readonly onDamage?: ((damage: Damage) => void) | undefined
  /** Called when a sink does not give an object that it may have whole. */
  readonly onProblem?: ((sink: string, error: Error) => void) | undefined
}

interface FoundOptions {
  /** False where no other sink can have it better: it is not remembered for `heal`. Default true. */
  readonly isHealable?: boolean | undefined
  readonly cause?: unknown
}

/** The vault as one sink holds it: what it lists, what of that is damaged, whether it answers. Nothing else changes what is known of a sink. */
export class Replica {
  readonly sink: Sink
  readonly context: ReplicaContext
  /** Snapshots that were opened, as this sink has them, by key. */
  readonly heads: Map<string, SnapshotHead> = new Map()
  /** Marks that were opened, by key. */
  readonly marks: Map<string, SignedMark> = new Map()
  /** What was found wrong, by key. */
  readonly damaged: Map<string, Damage> = new Map()
  /** Why it can't be used. */
  error: Error | undefined
  #listing: CurrentListing | undefined
  #grants: readonly ObjectInfo[] | undefined

  constructor(sink: Sink, context: ReplicaContext) {
    this.sink = sink
    this.context = context
  }

  get name(): string {
    return this.sink.name
  }

  /** Whether it could be listed: what it has can be read, whatever became of it since. */
  get isListed(): boolean {
    return this.#listing !== undefined
  }

  /** What it lists, without what is known to be damaged. @throws Error before it was listed */
  get listing(): Listing {
    if (!this.#listing) throw new Error(`sink "${this.name}" has not been listed`)
    return this.#listing
  }

  /** Learns which hosts were revoked, as it says: before anything of a host's is believed. @throws as `learnRevocations` */
  async learnRevocations(
    known: KnownRevocations | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#grants = await learnRevocations(this.sink, this.context.keys, signal, known)
  }

  /** Lists it, as it is now. @throws SinkError */
  async list(signal: AbortSignal | undefined = this.context.signal): Promise<void> {
    const { keys, withMarks } = this.context
    this.#listing = await CurrentListing.of(this.sink, keys, signal, this.#grants, withMarks)
    this.#grants = undefined
    for (const opened of [this.heads, this.marks])
      for (const key of opened.keys()) if (!this.has(key)) opened.delete(key)
  }

  /** Whether it lists an object that is not known to be damaged. */
  has(key: string): boolean {
    return this.#listing?.has(key) ?? false
  }

  /** Does something with it, unless it has failed already; a failure is its own. @throws the abort's reason */
  async attempt(work: () => Promise<void>): Promise<void> {
    if (this.error) return
    try {
      await work()
    } catch (error) {
      this.context.signal?.throwIfAborted()
      this.error ??= toError(error)
    }
  }

  /** A sink may answer all the time, and never come to an end: the others do not wait for it. @param what - it has not given @throws VaultError `unanswered` */
  within<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, answerWithinMs = ANSWER_WITHIN_MS } = this.context
    const sink = this.name
    const time = `${Math.round(answerWithinMs / 60_000)} minutes`
    const message = `sink "${sink}" has not said within ${time} ${what}`
    return within(
      answerWithinMs,
      signal,
      work,
      (cause) => new VaultError('unanswered', message, { sink, cause }),
    )
  }

  /** What earlier commands found damaged counts as absent. Trash is read with each listing: what has opened is whole, whatever it was before. */
  excludeKnownDamage(): void {
    for (const key of this.context.book?.of(this.name).keys() ?? [])
      if (this.listing.trash.has(key)) this.proven(key)
      else this.exclude(key)
  }

  /** An object counts as absent from now on. */
  exclude(key: string): void {
    this.#listing?.exclude(key)
  }

  /** An object is there, and whole. */
  include(key: string, object: StoredObject): void {
    this.#listing?.set(key, object)
  }

  /** An object was found missing or damaged: it counts as absent, is remembered, and reported, once. @param said - one line */
  found(key: string, why: DamageKind, said: string, options: FoundOptions = {}): void {
    this.exclude(key)
    if (this.damaged.has(key)) return
    const { isHealable = true, cause } = options
    const { book, now, onDamage, onProblem } = this.context
    const sink = this.name
    const prefix = `sink "${sink}": `
    const message = said.startsWith(prefix) ? said : `${prefix}${said}`
    const damage = { sink, key, why, message, error: new VaultError(why, message, { sink, key, cause }) }
    this.damaged.set(key, damage)
    if (isHealable) book?.add(sink, key, why, now())
    if (onDamage) onDamage(damage)
    else onProblem?.(sink, damage.error)
  }

  /** Whether an object was found to be none of the vault's: whoever wrote it had no right to. Nothing is lost with it, and it needs nothing. */
  isDisowned(key: string): boolean {
    const cause = this.damaged.get(key)?.error.cause
    return hasCode(cause, 'forged') || hasCode(cause, 'revoked')
  }

  /** An object was seen to be whole: what was known against it is over. */
  proven(key: string): void {
    this.context.book?.clear(this.name, key)
  }

  /** A failure that says nothing of the object that was asked for. @throws the abort's reason */
  report(reason: unknown): void {
    const { signal, onProblem } = this.context
    signal?.throwIfAborted()
    onProblem?.(this.name, toError(reason))
  }

  /**
   * Reads an object and opens it. One that proves damaged is found so; one that is gone counts as absent: a prune may have removed it.
   * @returns undefined where this sink does not have it whole
   * @throws the abort's reason; what says nothing of the object, such as a sink that does not answer or a newer version
   */
  async read<T extends object>(
    key: string,
    open: (object: Uint8Array) => T | Promise<T>,
  ): Promise<T | undefined> {
    const { signal } = this.context
    try {
      const isPack = packNameOf(key) !== undefined
      const get = (until: AbortSignal | undefined) => getObject(this.sink, key, until)
      return await open(await (isPack ? get(signal) : this.within(`what ${key} is`, get)))
    } catch (cause) {
      signal?.throwIfAborted()
      if (hasCode(cause, 'not-found')) this.#isGone(key, cause)
      else if (damageOf(cause) === undefined) throw cause
      else
        this.found(key, 'corrupt', cause instanceof VaultError ? cause.message : `${key} is damaged`, {
          cause,
        })
      return undefined
    }
  }

  /** A snapshot as this sink has it. @returns and @throws as `read` */
  readSnapshot(key: string): Promise<{ object: Uint8Array; head: SnapshotHead } | undefined> {
    const { keys } = this.context
    return this.read(key, (object) => ({ object, head: openSnapshotHead(keys, key, object) }))
  }

  /** Opens snapshots into `heads`. @param keys - default all that it shows @throws as `read`: what a newer program's snapshot needs is not known */
  async readHeads(keys: Iterable<string> = [...this.listing.snapshots.keys()]): Promise<void> {
    await forEachLimited(keys, HEADS_AT_ONCE, async (key) => {
      const found = this.has(key) ? await this.readSnapshot(key) : undefined
      if (found) this.heads.set(key, found.head)
    })
  }

  /** Opens the marks that it shows into `marks`. @throws as `read`: what a newer program's mark says is not known */
  async readMarks(): Promise<void> {
    const { keys } = this.context
    await forEachLimited([...this.listing.marks.keys()], HEADS_AT_ONCE, async (key) => {
      // They are never replaced: what was read once is what it says.
      const mark = this.marks.get(key) ?? (await this.read(key, (object) => openMark(keys, key, object)))
      if (mark) this.marks.set(key, mark)
    })
  }

  /** The sessions that a host of the vault has stored here, by id. One that is gone or does not open has ended, or is none. @throws the abort's reason */
  async readSessions(): Promise<Map<string, SessionRecord & StoredObject>> {
    const { keys, signal } = this.context
    const sessions = new Map<string, SessionRecord & StoredObject>()
    for (const [id, stored] of this.listing.sessions) {
      const key = `sessions/${id}`
      const object = await getObject(this.sink, key, signal).catch(() => undefined)
      signal?.throwIfAborted()
      const record = object && openSession(keys, key, object)
      if (record) sessions.set(id, { ...record, ...stored })
    }
    return sessions
  }

  /** Names of the packs that the opened snapshots need, and these snapshots' keys. */
  neededPacks(): Map<string, string[]> {
    const needed = new Map<string, string[]>()
    for (const [key, { packs }] of this.heads) {
      for (const [name] of packs) {
        const users = needed.get(name)
        if (users) users.push(key)
        else needed.set(name, [key])
      }
    }
    return needed
  }

  /**
   * Stores an object; in place of a damaged one it is read back.
   * @throws SinkError; VaultError `corrupt`; `fault` where a bit has flipped in memory meanwhile
   */
  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const { book, now, signal } = this.context
    const isChanged = watchMemory(key, bytes, options)
    const putting = { signal, ...options }
    const isDamaged = book?.of(this.name).get(key)?.why === 'corrupt'
    if (isDamaged) await putRepaired(this.sink, key, bytes, putting)
    else await this.sink.put(key, bytes, putting)
    if (isChanged()) {
      const fault = changedInMemory(this.name, key)
      this.found(key, 'corrupt', fault.message, { cause: fault })
      throw fault
    }
    this.proven(key)
    this.include(key, { sizeBytes: bytes.length, storedAt: now() })
  }

  /** Deletes objects. @returns those that are still there, and why @throws SinkError */
  async remove(keys: readonly string[]): Promise<ReadonlyMap<string, SinkError>> {
    if (keys.length === 0) return new Map()
    const failed = await this.sink.deleteMany(keys, { signal: this.context.signal })
    for (const key of keys) {
      if (failed.has(key)) continue
      this.#listing?.delete(key)
      this.heads.delete(key)
      this.marks.delete(key)
      this.proven(key)
    }
    return failed
  }

  #isGone(key: string, cause: unknown): void {
    // No prune deletes a pack that is still asked for.
    if (packNameOf(key) === undefined) this.exclude(key)
    else this.found(key, 'missing', `${key} is listed, and is not there`, { cause })
  }
}
