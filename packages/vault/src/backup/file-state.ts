import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { Attribute, FileIdentity } from '@pipe-backup/source'
import { readAttributes, writeAttributes } from '../format/attribute-codec.ts'
import { ByteWriter } from '../format/byte-writer.ts'
import { CHUNK_ID_BYTES } from '../format/chunk-codec.ts'
import { Extents } from '../format/extents.ts'

const STAMP_BYTES = 32
const CHECKSUM_BYTES = 4
const EXTENTS_AT: number = STAMP_BYTES + 4
/** Of a leaf: checksum, id, where its uses begin. */
const STAMPS_AT: number = 4 + CHUNK_ID_BYTES + 4
const SCHEMA_VERSION = 3
/** Of what SQLite says: SQLITE_CORRUPT, SQLITE_NOTADB. */
const DAMAGED: ReadonlySet<unknown> = new Set([11, 26])
/** SQLITE_FULL, and what a full disk makes of the log and of the memory that belongs to it: https://www.sqlite.org/rescode.html */
const FULL: ReadonlySet<unknown> = new Set([13, 778, 4874])
/** A row is marked as seen only every so many runs, so that an unchanged run writes next to nothing. */
const SEEN_EVERY_RUNS = 32
/** More than a source that is read once a week misses. */
const FORGET_AFTER_RUNS = 1024

/** What belongs to a file of a certain stamp. Extended attributes too: setting one changes the file's change time. */
export interface KnownFile {
  readonly extents: Extents
  readonly attributes: readonly Attribute[] | undefined
}

/** A leaf of the manifest, and what its entries looked like. */
export interface StoredLeaf {
  /** Of the node, 32 bytes. */
  readonly id: Uint8Array
  /** The chunks that it uses (chunk-uses.ts). */
  readonly uses: Buffer
  /** Leaf-stamps.ts. */
  readonly stamps: Buffer
}

/**
 * What this host remembers of each file it has stored: the stamp that it had, its extents and its extended attributes. A cache: when it is lost or
 * damaged every file is read again, and nothing is stored twice. Keys are keyed hashes of paths, so it names no file.
 * SQLite does not check its pages, so each row has a checksum: a flipped bit must not become a file's content. When the
 * database fails in mid-run, the run goes on without it.
 */
export class FileState implements Disposable {
  readonly #path: string
  readonly #db: DatabaseSync | undefined
  readonly #get: StatementSync | undefined
  readonly #put: StatementSync | undefined
  readonly #touch: StatementSync | undefined
  readonly #getLeaf: StatementSync | undefined
  readonly #putLeaf: StatementSync | undefined
  readonly #run: number = 0
  #failed = false
  /** Why it can't be used, or could not be until the end of the run: a full disk, a directory of somebody else. Then every file is read. */
  problem: Error | undefined

  /** @param directory - made when missing; holds `files.db` */
  constructor(directory: string, vaultId: string) {
    this.#path = join(directory, 'files.db')
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const { db, run } = openAnew(this.#path, vaultId)
      this.#db = db
      this.#run = run
      this.#get = db.prepare('SELECT seen, value FROM files WHERE key = ?')
      this.#put = db.prepare('INSERT OR REPLACE INTO files (key, seen, value) VALUES (?, ?, ?)')
      this.#touch = db.prepare('UPDATE files SET seen = ? WHERE key = ?')
      this.#getLeaf = db.prepare('SELECT value FROM leaves WHERE key = ? AND seen > ?')
      this.#putLeaf = db.prepare('INSERT OR REPLACE INTO leaves (key, seen, value) VALUES (?, ?, ?)')
    } catch (cause) {
      this.#fail("can't be used, so every file is read", cause)
    }
  }

  /** What is known of a file that is as it was when it was stored, or undefined. @param key - keyed hash of its path */
  unchanged(key: Uint8Array, size: number, mtimeNs: bigint, identity: FileIdentity): KnownFile | undefined {
    const found = this.#attempt(() => this.#get?.get(key))
    const value = found?.['value']
    if (!(value instanceof Uint8Array) || value.length < EXTENTS_AT + CHECKSUM_BYTES) return undefined
    const known = Buffer.from(value.buffer, value.byteOffset, value.length)
    if (stampOf(size, mtimeNs, identity).compare(known, 0, STAMP_BYTES) !== 0) return undefined
    const end = known.length - CHECKSUM_BYTES
    if (crc32(known.subarray(0, end)) !== known.readUInt32LE(end)) return undefined
    if (this.#run - Number(found?.['seen']) >= SEEN_EVERY_RUNS)
      this.#attempt(() => this.#touch?.run(this.#run, key))
    const attributesAt = end - known.readUInt32LE(STAMP_BYTES)
    return {
      extents: new Extents(known.subarray(EXTENTS_AT, attributesAt)),
      attributes: readAttributes(known.subarray(attributesAt, end)),
    }
  }

  remember(
    key: Uint8Array,
    size: number,
    mtimeNs: bigint,
    identity: FileIdentity,
    { extents, attributes = [] }: KnownFile,
  ): void {
    const { packed } = extents
    const packedAttributes = packAttributes(attributes)
    const attributesAt = EXTENTS_AT + packed.length
    const end = attributesAt + packedAttributes.length
    if (row.length < end + CHECKSUM_BYTES) row = Buffer.alloc(end * 2 + CHECKSUM_BYTES)
    row.set(stampOf(size, mtimeNs, identity))
    row.writeUInt32LE(packedAttributes.length, STAMP_BYTES)
    row.set(packed, EXTENTS_AT)
    row.set(packedAttributes, attributesAt)
    row.writeUInt32LE(crc32(row.subarray(0, end)), end)
    this.#attempt(() => this.#put?.run(key, this.#run, row.subarray(0, end + CHECKSUM_BYTES)))
  }

  /**
   * The leaf of the last manifest that began with this path. Every so many runs none is known: its files are looked up, and are not forgotten.
   * @param key - keyed hash of the path
   */
  leaf(key: Uint8Array): StoredLeaf | undefined {
    const found = this.#attempt(() => this.#getLeaf?.get(key, this.#run - SEEN_EVERY_RUNS))
    const value = found?.['value']
    if (!(value instanceof Uint8Array) || value.length < STAMPS_AT) return undefined
    const known = Buffer.from(value.buffer, value.byteOffset, value.length)
    const usesAt = known.readUInt32LE(4 + CHUNK_ID_BYTES)
    if (usesAt > known.length || crc32(known.subarray(4)) !== known.readUInt32LE(0)) return undefined
    return {
      id: known.subarray(4, 4 + CHUNK_ID_BYTES),
      stamps: known.subarray(STAMPS_AT, usesAt),
      uses: known.subarray(usesAt),
    }
  }

  rememberLeaf(key: Uint8Array, { id, uses, stamps }: StoredLeaf): void {
    const value = Buffer.allocUnsafe(STAMPS_AT + stamps.length + uses.length)
    value.set(id, 4)
    value.writeUInt32LE(STAMPS_AT + stamps.length, 4 + CHUNK_ID_BYTES)
    value.set(stamps, STAMPS_AT)
    value.set(uses, STAMPS_AT + stamps.length)
    value.writeUInt32LE(crc32(value.subarray(4)))
    this.#attempt(() => this.#putLeaf?.run(key, this.#run, value))
  }

  /** No leaf is known any more: what a forced run finds out of a file is not to be undone by one of before. */
  forgetLeaves(): void {
    this.#attempt(() => this.#db?.exec('DELETE FROM leaves'))
  }

  /** Chunks of which less than half was in use at the end of the last run. */
  mostlyDead(): Set<string> {
    const rows = this.#attempt(() => this.#db?.prepare('SELECT id FROM dead').all()) ?? []
    return new Set(
      rows.map((dead) => (dead['id'] instanceof Uint8Array ? Buffer.from(dead['id']).toString('hex') : '')),
    )
  }

  /** Makes what was remembered last, and the list of mostly dead chunks with it. */
  commit(mostlyDead?: Iterable<Uint8Array>): void {
    const db = this.#db
    if (!db) return
    this.#attempt(() => {
      if (mostlyDead) {
        db.exec('DELETE FROM dead')
        const insert = db.prepare('INSERT OR IGNORE INTO dead (id) VALUES (?)')
        for (const id of mostlyDead) insert.run(id)
        db.prepare('DELETE FROM files WHERE seen < ?').run(this.#run - FORGET_AFTER_RUNS)
        db.prepare('DELETE FROM leaves WHERE seen <= ?').run(this.#run - SEEN_EVERY_RUNS)
        db.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('run', ?)").run(String(this.#run))
      }
      db.exec('COMMIT')
      db.exec('BEGIN')
    })
  }

  [Symbol.dispose](): void {
    this.#attempt(() => this.#db?.exec('ROLLBACK'))
    this.#db?.close()
  }

  #fail(what: string, cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause)
    this.problem = new Error(`the local state ${this.#path} ${what}: ${why} (is there space left?)`, {
      cause,
    })
    this.#failed = true
  }

  /** Does something with the database. Once that has failed, nothing more; what is damaged is not kept for the next run. */
  #attempt<T>(act: () => T): T | undefined {
    if (this.#failed) return undefined
    try {
      return act()
    } catch (error) {
      this.#fail('could not be kept, so the next run reads more than has changed', error)
      const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
      if (DAMAGED.has(code)) removeDatabase(this.#path)
      return undefined
    }
  }
}

function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

/** Damaged, or of another vault or version: it is only a cache, and begun again. */
function openAnew(path: string, vaultId: string): ReturnType<typeof open> {
  try {
    return open(path, vaultId)
  } catch (error) {
    // Where there is no space now, there will be again: then it is as good as it was.
    if (error instanceof Error && 'errcode' in error && FULL.has(error.errcode)) throw error
    removeDatabase(path)
    return open(path, vaultId)
  }
}

function open(path: string, vaultId: string): { db: DatabaseSync; run: number } {
  const db = new DatabaseSync(path)
  try {
    // WAL with NORMAL loses the last transaction at most when the machine dies, and is never inconsistent: enough for a cache.
    // Alone with it, as the run's lock sees to, SQLite keeps its index of the WAL in memory, and not in a file that it maps: there a
    // read error of the disk is no error but the end of the process (SIGBUS).
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384')
    db.exec(`CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS files (key BLOB PRIMARY KEY, seen INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS leaves (key BLOB PRIMARY KEY, seen INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS dead (id BLOB PRIMARY KEY) WITHOUT ROWID`)
    const owner = `${vaultId}/${SCHEMA_VERSION}`
    const found = readMeta(db, 'owner')
    if (found !== undefined && found !== owner) throw new Error('the state of another vault')
    if (found === undefined) db.prepare("INSERT INTO meta (name, value) VALUES ('owner', ?)").run(owner)
    const run = Number(readMeta(db, 'run') ?? 0) + 1
    if (!Number.isSafeInteger(run)) throw new Error('a damaged state')
    db.exec('BEGIN')
    return { db, run }
  } catch (error) {
    db.close()
    throw error
  }
}

function readMeta(db: DatabaseSync, name: string): string | undefined {
  const value = db.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.['value']
  return typeof value === 'string' ? value : undefined
}

/** A hundred thousand rows are written through one piece of memory. */
let row = Buffer.alloc(1024)
const stamp = Buffer.alloc(STAMP_BYTES)

const NOTHING = Buffer.alloc(0)

function packAttributes(attributes: readonly Attribute[]): Buffer {
  if (attributes.length === 0) return NOTHING
  const writer = new ByteWriter()
  writeAttributes(writer, attributes)
  return writer.view()
}

function stampOf(size: number, mtimeNs: bigint, identity: FileIdentity): Buffer {
  stamp.writeBigUInt64LE(BigInt(size), 0)
  // Beyond the year 2262 nanoseconds take more than 64 bits: what is left of them shows a change as well.
  stamp.writeBigInt64LE(BigInt.asIntN(64, mtimeNs), 8)
  stamp.writeBigInt64LE(BigInt.asIntN(64, identity.ctimeNs), 16)
  stamp.writeBigUInt64LE(BigInt.asUintN(64, identity.inode), 24)
  return stamp
}
