import type { Entry, FileIdentity } from '@pipe-backup/source'
import type { ChunkIndex } from '../store/chunk-index.ts'
import { unpackUses } from './chunk-uses.ts'
import type { FileState, StoredLeaf } from './file-state.ts'
import { LeafStamps } from './leaf-stamps.ts'
import type { EndedLeaf } from './manifest-builder.ts'
import { stateKey } from './path-hash.ts'

/** A leaf of an earlier manifest whose entries are all as they were: nothing of it is looked up, or built, again. */
export interface KnownLeaf {
  readonly id: Uint8Array
  readonly firstPath: Uint8Array
  readonly lastPath: Uint8Array
  readonly entries: number
  /** Sum of its files' sizes. */
  readonly bytes: number
  /** The chunks that it needs (chunk-uses.ts). */
  readonly uses: Buffer
}

interface KnownLeavesOptions {
  readonly state: FileState
  readonly index: ChunkIndex
  /** Chunks to be left behind, hex. */
  readonly mostlyDead: ReadonlySet<string>
}

/**
 * Recognises the leaves of the last manifest while a source is walked. Entries are compared as they come, so that one that has
 * changed is opened in its turn; those before it in its leaf are then looked up one by one.
 */
export class KnownLeaves {
  readonly #options: KnownLeavesOptions
  readonly #seen = new LeafStamps()
  readonly #held: Entry[] = []
  #candidate: StoredLeaf | undefined
  #bytes = 0

  readonly #built = new LeafStamps()
  #builtFrom: string | undefined
  #isSteady = true

  constructor(options: KnownLeavesOptions) {
    this.#options = options
  }

  /** Whether entries are held that may be those of a known leaf. */
  get isHolding(): boolean {
    return this.#candidate !== undefined
  }

  /** @param pathHash - of an entry that begins a leaf @returns whether a leaf is known that began so; then the entry is to be offered */
  begin(pathHash: string): boolean {
    const { state, index, mostlyDead } = this.#options
    const leaf = state.leaf(stateKey(pathHash))
    if (!leaf || !index.has(leaf.id)) return false
    for (const [id] of unpackUses(leaf.uses)) {
      if (!index.has(id) || (mostlyDead.size > 0 && mostlyDead.has(id.toString('hex')))) return false
    }
    this.#candidate = leaf
    return true
  }

  /** @returns the leaf, with its last entry; `held` when it may be the entry after; `other` when this is another entry: see `release` */
  offer(entry: Entry): KnownLeaf | 'held' | 'other' {
    const known = this.#candidate
    if (!known) return 'other'
    const seen = this.#seen
    const from = seen.bytes.length
    let size = 0
    if (entry.type === 'file') {
      if (entry.size === undefined || !entry.identity) return 'other'
      size = entry.size
      seen.add(entry, size, entry.mtimeNs, entry.identity)
    } else seen.add(entry, 0, entry.mtimeNs, undefined)
    const { bytes } = seen
    const end = bytes.length
    if (end > known.stamps.length || bytes.compare(known.stamps, from, end, from, end) !== 0) return 'other'
    this.#held.push(entry)
    this.#bytes += size
    if (end < known.stamps.length) return 'held'
    const leaf: KnownLeaf = {
      id: known.id,
      firstPath: this.#held[0]?.path ?? entry.path,
      lastPath: entry.path,
      entries: this.#held.length,
      bytes: this.#bytes,
      uses: known.uses,
    }
    this.#forget()
    return leaf
  }

  /** Gives up the leaf. @returns the entries that were held: as they were when they were stored, unless the local state is damaged */
  release(): Entry[] {
    const held = this.#held.slice()
    this.#forget()
    return held
  }

  #forget(): void {
    this.#candidate = undefined
    this.#held.length = 0
    this.#bytes = 0
    this.#seen.clear()
  }

  /**
   * An entry that goes into the leaf that is being built.
   * @param identity - of files, when they held still
   */
  build(
    entry: Entry,
    pathHash: string,
    size: number,
    mtimeNs: bigint,
    identity: FileIdentity | undefined,
  ): void {
    this.#builtFrom ??= pathHash
    if (entry.type === 'file' && !identity) this.#isSteady = false
    if (this.#isSteady) this.#built.add(entry, size, mtimeNs, identity)
  }

  /** That leaf is complete. @param leaf - undefined where it ended before its time, and is not to be recognised */
  end(leaf?: EndedLeaf): void {
    if (leaf?.uses && this.#isSteady && this.#builtFrom !== undefined)
      this.#options.state.rememberLeaf(stateKey(this.#builtFrom), {
        id: leaf.id,
        uses: leaf.uses,
        stamps: this.#built.bytes,
      })
    this.#built.clear()
    this.#builtFrom = undefined
    this.#isSteady = true
  }
}
