import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deriveKeys, type VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { type MemorySink, memorySink } from '@pipe-backup/sink/testing'
import type { Source } from '@pipe-backup/source'
import {
  type BackupReport,
  backup,
  createVaultHost,
  decodeHostKey,
  encodeHostKey,
  initVault,
  listSnapshots,
  type VaultHost,
} from '@pipe-backup/vault'
import { restored } from './restored.ts'
import { fileEntry, fingerprintOf, seeded } from './simulated-server.ts'

const START_MS = Date.parse('2026-01-01T00:00:00Z')
const DAY_MS = 86_400_000
const PROGRAM = 'test'

/** The phrase's. */
export const keys: VaultKeys = await deriveKeys(new Uint8Array(32).fill(7))
/** One for all: what is derived from its keys takes time. */
const HOST = createVaultHost(keys)
/** Where nobody waits for a disk, if there is such a place: the local state is synced some ten times a run. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
/** In the directory of a vault that is saved. */
const SAVED = 'vault.json'

/** What a call of the vault needs beside its sinks. */
export interface VaultCall {
  readonly host: VaultHost
  readonly keys: VaultKeys
  readonly vaultId: string
  readonly hostName: string
  readonly stateDirectory: string
  readonly now: () => Date
}

/** As JSON. */
interface SavedVault {
  readonly timeMs: number
  readonly edition: number
  readonly host: string
  readonly expected: readonly (readonly [id: string, fingerprint: string])[]
  readonly everyMs: readonly (readonly [source: string, ms: number])[]
}

/** A vault of few small objects on sinks in memory, on a clock of its own: it can be copied, and is then broken at one point after the other. */
export class SmallVault implements Disposable {
  readonly stores: readonly MemorySink[]
  /** What the snapshots that were reported as committed must restore to, by id. */
  readonly expected: Map<string, string>
  /** Names of sinks that lack something. */
  readonly uneven: Set<string>
  /** The files of these snapshots: their bytes by path, by the snapshot's id. */
  readonly files: Map<string, ReadonlyMap<string, Uint8Array>>
  /** Sources that are not read each time, and after how long they are. */
  everyMs: ReadonlyMap<string, number> | undefined
  #timeMs: number
  #edition: number
  readonly #host: VaultHost
  readonly #stateDirectory: string

  private constructor(
    names: readonly string[],
    from?: SmallVault,
    host: VaultHost = HOST,
    stateDirectory: string = mkdtempSync(join(MEMORY, 'pipe-backup-small-')),
  ) {
    this.#host = host
    this.#stateDirectory = stateDirectory
    this.everyMs = from?.everyMs
    this.#timeMs = from ? from.#timeMs : START_MS
    this.#edition = from ? from.#edition : 0
    this.expected = new Map(from?.expected)
    this.files = new Map(from?.files)
    this.uneven = new Set(from?.uneven)
    this.stores = names.map((name) => memorySink(name, () => new Date(this.#timeMs)))
    if (!from) return
    for (const [i, { objects }] of from.stores.entries())
      for (const [key, object] of objects) this.stores[i]?.objects.set(key, object)
    cpSync(from.#stateDirectory, this.#stateDirectory, { recursive: true })
  }

  static async create(sinks: number): Promise<SmallVault> {
    const vault = new SmallVault(['a', 'b', 'c', 'd'].slice(0, sinks))
    await initVault({ sinks: vault.stores, publicKey: keys.publicKey })
    return vault
  }

  copy(): SmallVault {
    const names = this.stores.map(({ name }) => name)
    return new SmallVault(names, this)
  }

  /** Another process's, of what `save` has written: it has no sinks of its own. */
  static open(root: string): SmallVault {
    const saved = JSON.parse(readFileSync(join(root, SAVED), 'utf8')) as SavedVault
    const vault = new SmallVault([], undefined, decodeHostKey(saved.host), join(root, 'disk/state'))
    vault.#timeMs = saved.timeMs
    vault.#edition = saved.edition
    vault.everyMs = new Map(saved.everyMs)
    for (const [id, expected] of saved.expected) vault.expected.set(id, expected)
    return vault
  }

  /** Writes all of it into a directory: `disk/state`, and for each sink `disk/NAME`. */
  save(root: string): void {
    cpSync(this.#stateDirectory, join(root, 'disk/state'), { recursive: true })
    for (const { name, objects } of this.stores) {
      mkdirSync(join(root, 'disk', name), { recursive: true })
      for (const [key, { bytes }] of objects) {
        mkdirSync(dirname(join(root, 'disk', name, key)), { recursive: true })
        writeFileSync(join(root, 'disk', name, key), bytes)
      }
    }
    const saved: SavedVault = {
      timeMs: this.#timeMs,
      edition: this.#edition,
      expected: [...this.expected],
      host: encodeHostKey(this.#host),
      everyMs: [...(this.everyMs ?? [])],
    }
    writeFileSync(join(root, SAVED), JSON.stringify(saved))
  }

  /** A copy of it on other disks. @param objects - what a sink of this name holds @param writeState - given the directory */
  onDisks(
    objects: (sink: string) => ReadonlyMap<string, Uint8Array>,
    writeState: (directory: string) => void,
  ): SmallVault {
    const copy = this.copy()
    for (const store of copy.stores) {
      store.objects.clear()
      for (const [key, bytes] of objects(store.name))
        store.objects.set(key, { bytes, storedAt: new Date(copy.#timeMs) })
    }
    rmSync(copy.#stateDirectory, { recursive: true })
    writeState(copy.#stateDirectory)
    return copy
  }

  get call(): VaultCall {
    const host = this.#host
    return {
      host,
      keys,
      vaultId: host.vaultId,
      hostName: 'server',
      stateDirectory: this.#stateDirectory,
      now: () => new Date(this.#timeMs),
    }
  }

  store(name: string): MemorySink {
    const store = this.stores.find((one) => one.name === name)
    if (!store) throw new Error(`there is no sink ${name}`)
    return store
  }

  /** What a process that was killed, or could not say goodbye, has left behind counts for nothing then. */
  passDays(days: number): void {
    this.#timeMs += days * DAY_MS
  }

  /** An hour passes, and the files change. */
  live(): void {
    this.#timeMs += 3_600_000
    this.#edition++
  }

  /** Of the files as they are now. */
  get fingerprint(): string {
    return fingerprintOf([...filesOf(this.#edition)].map(([path, { bytes }]) => [path, bytes]))
  }

  /** The files as they are now. */
  sources(): Source[] {
    const files = filesOf(this.#edition)
    // What one of them stores is a chunk of its own: a pack is dead in part when the other has changed.
    return ['moving', 'steady'].map(
      (name): Source => ({
        name,
        async *entries() {
          for (const [path, file] of files)
            if (path.startsWith(`${name}/`)) yield fileEntry(path.slice(name.length + 1), file)
        },
      }),
    )
  }

  async backUp(
    sinks: readonly Sink[] = this.stores,
    signal?: AbortSignal,
    onLine?: (line: string) => void,
  ): Promise<BackupReport> {
    const files = filesOf(this.#edition)
    const report = await backup({
      ...this.call,
      sinks,
      program: PROGRAM,
      sources: this.sources(),
      copies: Math.min(2, sinks.length),
      everyMs: this.everyMs,
      signal,
      onSinkProblem: (_, { message }) => onLine?.(message),
    })
    if (report.snapshot !== null) {
      this.expected.set(report.snapshot, this.fingerprint)
      this.files.set(report.snapshot, new Map([...files].map(([path, { bytes }]) => [path, bytes])))
    }
    return report
  }

  /** What is wrong with what this sink alone gives of the snapshots that were committed: nothing, or a line for each. */
  async flawsOf(sink: Sink): Promise<string[]> {
    const flaws: string[] = []
    try {
      const shown = await listSnapshots({ sinks: [sink], keys })
      for (const [id, expected] of this.expected) {
        const snapshot = shown.find((one) => one.id === id)
        if (!snapshot) flaws.push(`snapshot ${id} is not shown by ${sink.name}`)
        else {
          const found = await restored([sink], keys, snapshot).catch((error: unknown) => String(error))
          if (found !== expected) flaws.push(`snapshot ${id} of ${sink.name}: ${found}`)
        }
      }
    } catch (error) {
      flaws.push(`sink ${sink.name} can't be listed: ${String(error)}`)
    }
    return flaws
  }

  [Symbol.dispose](): void {
    rmSync(this.#stateDirectory, { recursive: true, force: true })
  }
}

/** One file that stays, and two that change; of few bytes, for they are read thousands of times. */
function filesOf(edition: number) {
  const bytes = (seed: number, length: number) => {
    const random = seeded(seed)
    return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
  }
  const changed = BigInt(edition)
  return new Map([
    ['moving/one', { bytes: bytes(1000 + edition, 1500), inode: 1n, changed }],
    ['moving/two', { bytes: bytes(2000 + edition, 3000), inode: 2n, changed }],
    ['steady/file', { bytes: bytes(3, 2000), inode: 3n, changed: 0n }],
  ])
}
