import { createHash } from 'node:crypto'
import type { MemorySink } from '@pipe-backup/sink/testing'
import { contentOf } from './forge.ts'
import { keys } from './small-vault.ts'

/** What a snapshot object says, as docs/format.md has it. */
export interface Head {
  readonly id: string
  readonly key: string
  readonly time: string
  readonly hostId: string
  readonly firstStored: string | undefined
  readonly sources: readonly { readonly name: string; readonly state: 'ok' | 'incomplete' | 'failed' }[]
  /** Keys of the packs that it needs. */
  readonly packs: readonly string[]
}

/** What a mark says, as docs/format.md has it. */
interface MarkContent {
  readonly pinned: boolean
  readonly replaces: readonly string[]
}

/** What sinks really hold, read from their bytes and from what hosts of the vault have stored: the program is not asked. */
export class Oracle {
  /** Digests of what was stored under a key by the program. */
  readonly #genuine = new Map<string, Set<string>>()
  readonly #digests = new WeakMap<Uint8Array, string>()
  readonly #heads = new Map<string, Head>()
  readonly #removed = new Map<string, readonly string[]>()
  readonly #marks = new Map<string, MarkContent>()

  /** A host of the vault stores this, or wants to. */
  record(key: string, bytes: Uint8Array): void {
    if (!['snapshots/', 'trash/', 'marks/'].some((prefix) => key.startsWith(prefix))) return
    const known = this.#genuine.get(key)
    if (known) known.add(this.#digest(bytes))
    else this.#genuine.set(key, new Set([this.#digest(bytes)]))
  }

  /** The snapshot that a sink shows under a key, if it is one that a host of the vault has written. */
  headOn({ objects }: MemorySink, key: string): Head | undefined {
    const bytes = objects.get(key)?.bytes
    if (!bytes || !this.#genuine.get(key)?.has(this.#digest(bytes))) return undefined
    const digest = this.#digest(bytes)
    const head = this.#heads.get(digest) ?? readHead(key, bytes)
    this.#heads.set(digest, head)
    return head
  }

  /** All genuine snapshots that these sinks show, by key. */
  shownBy(stores: readonly MemorySink[]): Map<string, Head> {
    const shown = new Map<string, Head>()
    for (const store of stores)
      for (const key of store.objects.keys()) {
        const head = key.startsWith('snapshots/') ? this.headOn(store, key) : undefined
        if (head && !shown.has(key)) shown.set(key, head)
      }
    return shown
  }

  /** Whether the bytes of a pack are those that its name says. */
  hasPack({ objects }: MemorySink, key: string): boolean {
    const bytes = objects.get(key)?.bytes
    return bytes !== undefined && this.#digest(bytes) === key.slice(-64)
  }

  /** Whether these sinks together have all that one version of the snapshot needs. */
  isIntact(stores: readonly MemorySink[], key: string): boolean {
    return stores.some((store) =>
      this.headOn(store, key)?.packs.every((pack) => stores.some((one) => this.hasPack(one, pack))),
    )
  }

  /** Keys of the snapshots that these sinks together can give. */
  intactOn(stores: readonly MemorySink[]): Set<string> {
    return new Set([...this.shownBy(stores).keys()].filter((key) => this.isIntact(stores, key)))
  }

  /** The marks that these sinks show, by key, if a host of the vault has written them. */
  marksOn(stores: readonly MemorySink[]): Map<string, MarkContent> {
    const shown = new Map<string, MarkContent>()
    for (const { objects } of stores)
      for (const [key, { bytes }] of objects) {
        if (!key.startsWith('marks/') || !this.#genuine.get(key)?.has(this.#digest(bytes))) continue
        const mark = this.#marks.get(key) ?? (contentObject(key, bytes) as unknown as MarkContent)
        this.#marks.set(key, mark)
        shown.set(key, mark)
      }
    return shown
  }

  /** Ids of the snapshots of which any readable trash says that they were removed. */
  removedOn(stores: readonly MemorySink[]): Set<string> {
    const ids = new Set<string>()
    for (const { objects } of stores)
      for (const [key, { bytes }] of objects) {
        if (!key.startsWith('trash/') || !this.#genuine.get(key)?.has(this.#digest(bytes))) continue
        const digest = this.#digest(bytes)
        const removed = this.#removed.get(digest) ?? fieldOf<readonly string[]>(key, bytes, 'snapshots')
        this.#removed.set(digest, removed)
        for (const id of removed) ids.add(id)
      }
    return ids
  }

  #digest(bytes: Uint8Array): string {
    const known = this.#digests.get(bytes)
    if (known !== undefined) return known
    const digest = createHash('sha256').update(bytes).digest('hex')
    this.#digests.set(bytes, digest)
    return digest
  }
}

function fieldOf<T>(key: string, bytes: Uint8Array, name: string): T {
  return contentObject(key, bytes)[name] as T
}

function contentObject(key: string, bytes: Uint8Array): Record<string, unknown> {
  return JSON.parse(contentOf(keys, key, bytes).toString()) as Record<string, unknown>
}

function readHead(key: string, bytes: Uint8Array): Head {
  const head = JSON.parse(contentOf(keys, key, bytes).toString()) as Omit<Head, 'key' | 'packs'> & {
    readonly packs: readonly (readonly [name: string, bitmap: string])[]
  }
  const packs = head.packs.map(([name]) => `packs/${name.slice(0, 2)}/${name}`)
  return { ...head, key, packs }
}
