import {
  comparePaths,
  type Entry,
  type EntryReader,
  type FileIdentity,
  type ReadContext,
  type Source,
} from '@pipe-backup/source'

/** A file of a test. Its identity changes with each new spec, as an inode's change time would. */
export interface FileSpec {
  readonly bytes: Uint8Array
  readonly mode?: number | undefined
  readonly mtimeNs?: bigint | undefined
  readonly sparse?: boolean | undefined
  /** The size is known at the end only, and the file never recognised as unchanged. */
  readonly unknownSize?: boolean | undefined
  /** What the walk says the size is, where the file has grown or shrunk since. */
  readonly sizeThen?: number | undefined
  /** Bytes that one read gives at most. */
  readonly pieceBytes?: number | undefined
  /** Whether the first, second, … reading held still. Default: all. */
  readonly steady?: readonly boolean[] | undefined
  /** Thrown by the read that would go past this many bytes. */
  readonly failAt?: { readonly bytes: number; readonly error: Error } | undefined
}

type OtherSpec =
  | { readonly type: 'directory' | 'fifo' }
  | { readonly type: 'symlink'; readonly target: string }
  | { readonly type: 'hardlink'; readonly linkTo: string }
  | { readonly type: 'character-device' | 'block-device'; readonly major: number; readonly minor: number }

export type EntrySpec = string | Uint8Array | FileSpec | OtherSpec

/** A source whose entries a test writes down, and that remembers which files were opened. */
export class MemorySource implements Source {
  readonly name: string
  readonly settle: number
  /** Paths of files that were opened since this was last emptied. */
  readonly opened: string[] = []
  /** Called before each entry is given out. */
  beforeEntry: ((path: string) => void | Promise<void>) | undefined
  readonly #specs = new Map<string, { spec: EntrySpec; identity: FileIdentity; mtimeNs: bigint }>()
  #clock = 1n

  constructor(name: string, tree: Readonly<Record<string, EntrySpec>>, settle = 0) {
    this.name = name
    this.settle = settle
    for (const [path, spec] of Object.entries(tree)) this.set(path, spec)
  }

  set(path: string, spec: EntrySpec): void {
    const tick = this.#clock++
    const identity = { ctimeNs: 1_700_000_000_000_000_000n + tick, inode: tick }
    const mtimeNs =
      typeof spec === 'object' && 'mtimeNs' in spec && spec.mtimeNs !== undefined
        ? spec.mtimeNs
        : identity.ctimeNs
    this.#specs.set(path, { spec, identity, mtimeNs })
  }

  remove(path: string): void {
    this.#specs.delete(path)
  }

  async *entries(context: ReadContext = {}): AsyncGenerator<Entry> {
    const sorted = [...this.#specs].sort(([a], [b]) => comparePaths(Buffer.from(a), Buffer.from(b)))
    for (const [path, { spec, identity, mtimeNs }] of sorted) {
      context.signal?.throwIfAborted()
      await this.beforeEntry?.(path)
      yield this.#entry(path, spec, identity, mtimeNs)
    }
  }

  #entry(path: string, spec: EntrySpec, identity: FileIdentity, mtimeNs: bigint): Entry {
    const metadata = {
      path: Buffer.from(path),
      mode: 0o640,
      uid: 1000,
      gid: 100,
      user: 'ada',
      group: '',
      mtimeNs,
    }
    if (typeof spec === 'object' && 'type' in spec) {
      if (spec.type === 'symlink')
        return { ...metadata, type: 'symlink', mode: 0o777, target: Buffer.from(spec.target) }
      if (spec.type === 'hardlink') return { ...metadata, type: 'hardlink', linkTo: Buffer.from(spec.linkTo) }
      if (spec.type === 'directory' || spec.type === 'fifo') return { ...metadata, type: spec.type }
      return { ...metadata, ...spec }
    }
    const file = typeof spec === 'string' || spec instanceof Uint8Array ? { bytes: toBytes(spec) } : spec
    let readings = 0
    return {
      ...metadata,
      type: 'file',
      mode: file.mode ?? 0o640,
      size: file.unknownSize ? undefined : (file.sizeThen ?? file.bytes.length),
      ...(file.unknownSize ? {} : { identity }),
      sparse: file.sparse ?? false,
      open: () => {
        this.opened.push(path)
        const steady = file.steady?.[readings++] ?? true
        return new MemoryReader(file, { steady, mtimeNs, ...(file.unknownSize ? {} : { identity }) })
      },
    }
  }
}

class MemoryReader implements EntryReader {
  readonly #file: FileSpec
  readonly #end: { steady: boolean; mtimeNs: bigint; identity?: FileIdentity }
  #at = 0

  constructor(file: FileSpec, end: { steady: boolean; mtimeNs: bigint; identity?: FileIdentity }) {
    this.#file = file
    this.#end = end
  }

  read(into: Uint8Array): number {
    const { bytes, pieceBytes = bytes.length, failAt } = this.#file
    const piece = bytes.subarray(this.#at, this.#at + Math.min(into.length, Math.max(1, pieceBytes)))
    if (failAt && this.#at + piece.length >= failAt.bytes) throw failAt.error
    into.set(piece)
    this.#at += piece.length
    return piece.length
  }

  finish(): { steady: boolean; mtimeNs: bigint; identity?: FileIdentity } {
    return this.#end
  }

  close(): void {
    // Nothing is held.
  }
}

function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : text
}
