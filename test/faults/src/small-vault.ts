import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveKeys, type VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { type MemorySink, memorySink } from '@pipe-backup/sink/testing'
import type { Source } from '@pipe-backup/source'
import {
  type BackupReport,
  backup,
  createVaultHost,
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
const host = createVaultHost(keys)

/** What a call of the vault needs beside its sinks. */
export interface VaultCall {
  readonly host: VaultHost
  readonly keys: VaultKeys
  readonly vaultId: string
  readonly hostName: string
  readonly stateDirectory: string
  readonly now: () => Date
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
  #timeMs: number
  #edition: number
  readonly #stateDirectory = mkdtempSync(join(tmpdir(), 'pipe-backup-small-'))

  private constructor(names: readonly string[], from?: SmallVault) {
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

  get call(): VaultCall {
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

  async backUp(sinks: readonly Sink[] = this.stores, signal?: AbortSignal): Promise<BackupReport> {
    const files = filesOf(this.#edition)
    const report = await backup({
      ...this.call,
      sinks,
      program: PROGRAM,
      sources: this.sources(),
      copies: Math.min(2, sinks.length),
      signal,
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
