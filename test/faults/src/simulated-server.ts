import { createHash } from 'node:crypto'
import type { Entry, EntryReader, Source } from '@pipe-backup/source'

interface File {
  readonly bytes: Buffer
  readonly inode: bigint
  readonly changed: bigint
}

/** Numbers that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A server that lives: wallet files that hardly change, a dump of which a part does each hour, a chain that grows and drops old files. */
export class SimulatedServer {
  readonly #random: () => number
  readonly #files = new Map<string, File>()
  readonly #dump: Buffer
  #ticks = 0n
  #blocks = 0

  constructor(random: () => number) {
    this.#random = random
    this.#dump = this.#bytes(60_000)
    for (let i = 0; i < 12; i++) this.#write(`wallet/key-${i}`, this.#bytes(400))
    this.#write('wallet/config.json', Buffer.from('{"setting":0}'))
    this.#write('database/shop.sql', Buffer.from(this.#dump))
    for (let i = 0; i < 20; i++) this.#grow()
  }

  /** An hour passes. */
  live(): void {
    if (this.#random() < 0.02) this.#write('wallet/config.json', Buffer.from(`{"setting":${this.#random()}}`))
    if (this.#random() < 0.01) this.#write(`wallet/key-${Math.floor(this.#random() * 12)}`, this.#bytes(400))
    this.#bytes(2000).copy(this.#dump, Math.floor(this.#random() * (this.#dump.length - 2000)))
    this.#write('database/shop.sql', Buffer.from(this.#dump))
    this.#grow()
    if (this.#blocks > 40) this.#files.delete(`chain/block-${this.#blocks - 40}`)
  }

  /** What a snapshot that is taken now must restore to: a hash of all paths and bytes. */
  fingerprint(): string {
    return fingerprintOf([...this.#files].map(([path, { bytes }]) => [path, bytes]))
  }

  sources(): Source[] {
    return ['wallet', 'database', 'chain'].map((name) => ({ name, entries: () => this.#entries(name) }))
  }

  #grow(): void {
    this.#write(`chain/block-${++this.#blocks}`, this.#bytes(6000))
  }

  #write(path: string, bytes: Buffer): void {
    const inode = this.#files.get(path)?.inode ?? BigInt(this.#files.size + 1)
    this.#files.set(path, { bytes, inode, changed: ++this.#ticks })
  }

  #bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i += 4) bytes.writeUInt32LE(Math.floor(this.#random() * 2 ** 32), i)
    return bytes
  }

  async *#entries(source: string): AsyncGenerator<Entry> {
    for (const path of [...this.#files.keys()].filter((name) => name.startsWith(`${source}/`)).sort()) {
      const file = this.#files.get(path)
      if (!file) continue
      yield fileEntry(path.slice(source.length + 1), file)
    }
  }
}

/** @param file.changed - goes up with each change */
export function fileEntry(path: string, { bytes, inode, changed }: File): Entry {
  const stamp = 1_700_000_000_000_000_000n + changed
  return {
    type: 'file',
    path: Buffer.from(path),
    mode: 0o600,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    mtimeNs: stamp,
    size: bytes.length,
    identity: { ctimeNs: stamp, inode },
    open: () => readerOf(bytes, stamp, inode),
  }
}

export function fingerprintOf(files: readonly (readonly [path: string, bytes: Uint8Array])[]): string {
  const hash = createHash('sha256')
  for (const [path, bytes] of files.toSorted(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  return hash.digest('hex')
}

function readerOf(bytes: Buffer, stamp: bigint, inode: bigint): EntryReader {
  let at = 0
  return {
    read(into) {
      const got = bytes.copy(into, 0, at)
      at += got
      return got
    },
    finish: () => ({ steady: true, mtimeNs: stamp, identity: { ctimeNs: stamp, inode } }),
    close: () => undefined,
  }
}
