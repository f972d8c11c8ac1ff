import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { openObject, type SealingHost, sealObject } from '../format/sealed-object.ts'
import { VaultError } from '../vault-error.ts'

/** What a session is for: prune waits for all of them, and only one of them prunes. */
export type SessionKind = 'backup' | 'heal' | 'prune'

/** Content of a session object (docs/format.md section 9). */
export interface SessionRecord {
  readonly host: string
  readonly hostId: string
  readonly started: string
  readonly kind: SessionKind
}

/** How long an object of a session that still lives may go without being written again, in milliseconds. */
export const SESSION_STALE_MS: number = 24 * 60 * 60 * 1000
/** A session is written again this often, in milliseconds: many times before it would count as dead. */
export const SESSION_REFRESH_MS: number = 60 * 60 * 1000
/** How long a session may take to remove its objects at the end. */
const FAREWELL_MS = 3000

const KEY = /^sessions\/([0-9a-f]{16})$/

/** The id in a session's key, or undefined where it is no such key. */
export function sessionIdOf(key: string): string | undefined {
  return KEY.exec(key)?.[1]
}

/** @returns undefined for what is no record that this program understands: whose it is can't be reported, only that it is there */
export function openSession(keys: ObjectKeys, key: string, object: Uint8Array): SessionRecord | undefined {
  try {
    const { content, author } = openObject(keys, key, object)
    const record: unknown = JSON.parse(content.toString())
    if (!isRecord(record) || record.hostId !== author.hostId) return undefined
    const { kind = 'backup' } = record
    return kind === 'prune' && author.role !== 'maintain' ? undefined : { ...record, kind }
  } catch {
    return undefined
  }
}

function isRecord(
  value: unknown,
): value is Omit<SessionRecord, 'kind'> & { readonly kind?: SessionKind | undefined } {
  if (typeof value !== 'object' || value === null) return false
  const { host, hostId, started, kind } = Object.fromEntries<unknown>(Object.entries(value))
  return (
    [host, hostId, started].every((text) => typeof text === 'string') &&
    [undefined, 'backup', 'heal', 'prune'].includes(kind as string | undefined)
  )
}

export interface VaultSessionOptions {
  readonly host: SealingHost
  readonly record: SessionRecord
}

/**
 * An object on each sink that says: work is going on here. It is there before the sink is looked at, so that a prune which has not
 * seen it has said before what it condemns.
 */
export class VaultSession implements AsyncDisposable {
  readonly id: string = randomBytes(8).toString('hex')
  readonly key: string = `sessions/${this.id}`
  /** Whose it is, 32 hex digits. */
  readonly hostId: string
  readonly #object: Buffer
  /** When it was last stored there, by this machine's clock; 0 where it never was. */
  readonly #sinks = new Map<Sink, number>()
  /** Sinks where it was taken for dead: to write it again would not bring back what was deleted meanwhile. */
  readonly #dead = new Set<Sink>()
  readonly #ended = new AbortController()
  readonly #refreshing: Promise<void>

  constructor({ host, record }: VaultSessionOptions) {
    const content = Buffer.from(JSON.stringify({ version: 1, ...record }))
    this.hostId = record.hostId
    this.#object = sealObject(host, this.key, content)
    this.#refreshing = this.#refresh()
  }

  get sizeBytes(): number {
    return this.#object.length
  }

  /** @throws SinkError */
  async join(sink: Sink, signal?: AbortSignal): Promise<void> {
    // Also when the put fails: the object may be there, and a prune would wait for it.
    this.#sinks.set(sink, this.#sinks.get(sink) ?? 0)
    await sink.put(this.key, this.#object, { signal })
    this.#sinks.set(sink, Date.now())
  }

  /**
   * Makes sure that no prune has taken it for dead, as that of a machine that slept for a day: packs on which it rests may be deleted then.
   * @throws VaultError `missing`; SinkError
   */
  async requireAlive(sink: Sink, signal?: AbortSignal): Promise<void> {
    if (await this.#isAlive(sink, signal)) return
    this.#dead.add(sink)
    const { name } = sink
    const message = `sink "${name}": ${this.key} is gone, or a day old: what this rests on may be deleted`
    throw new VaultError('missing', message, {
      sink: name,
      key: this.key,
      hint: 'The machine slept, or a clock jumped. Run it again.',
    })
  }

  async #isAlive(sink: Sink, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#dead.has(sink) || Date.now() - (this.#sinks.get(sink) ?? 0) > SESSION_STALE_MS / 2) return false
    return (await sink.head(this.key, { signal })) !== undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    await this.#refreshing
    const signal = AbortSignal.timeout(FAREWELL_MS)
    await Promise.allSettled([...this.#sinks.keys()].map((sink) => sink.delete(this.key, { signal })))
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        await sleep(SESSION_REFRESH_MS, undefined, { signal, ref: false })
      } catch {
        return
      }
      // One that does not take it again will be asked again; a day without is what counts.
      await Promise.allSettled([...this.#sinks.keys()].map((sink) => this.#renew(sink, signal)))
    }
  }

  async #renew(sink: Sink, signal: AbortSignal): Promise<void> {
    await this.requireAlive(sink, signal)
    await this.join(sink, signal)
  }
}
