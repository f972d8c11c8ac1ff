import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveKeys, type VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { Entry, Source } from '@pipe-backup/source'
import { backup } from '../backup/backup.ts'
import type { BackupOptions } from '../backup/backup-options.ts'
import type { BackupProblem, BackupReport } from '../backup/report.ts'
import { createVaultHost, type VaultHost } from '../format/vault-host.ts'
import { type HealOptions, type HealReport, heal } from '../heal/heal.ts'
import { type PruneOptions, prune } from '../prune/prune.ts'
import type { PruneReport } from '../prune/report.ts'
import { openSnapshot } from '../restore/open-snapshot.ts'
import { listSnapshots, type SnapshotInfo, selectSnapshot } from '../store/snapshots.ts'
import { initVault } from '../store/vault-header.ts'
import type { VerifyReport } from '../verify/report.ts'
import { type VerifyOptions, verify } from '../verify/verify.ts'
import { MemorySink } from './memory-sink.ts'

export interface RestoredEntry {
  readonly entry: Entry
  /** Of files: the bytes. */
  readonly bytes?: Buffer | undefined
}

/** A vault on sinks in memory, a host of it, and a directory for the host's state. */
export class TestVault implements Disposable {
  /** What its phrase stands for. */
  readonly master: Uint8Array
  readonly keys: VaultKeys
  readonly sinks: readonly MemorySink[]
  readonly host: VaultHost
  readonly stateDirectory: string
  /** What the last run reported. */
  readonly problems: BackupProblem[] = []
  readonly sinkProblems: { sink: string | undefined; error: Error }[] = []

  /** @param sinkNames - one sink for each @param seed - another number, another vault @param now - the sinks' clock */
  static async create(
    sinkNames: readonly string[] = ['one'],
    seed = 7,
    now: () => Date = () => new Date(),
  ): Promise<TestVault> {
    const master = new Uint8Array(32).fill(seed)
    const keys = await deriveKeys(master)
    const sinks = sinkNames.map((name) => new MemorySink(name, now))
    await initVault({ sinks, publicKey: keys.publicKey })
    return new TestVault(master, keys, sinks, createVaultHost(keys))
  }

  private constructor(master: Uint8Array, keys: VaultKeys, sinks: readonly MemorySink[], host: VaultHost) {
    this.master = master
    this.keys = keys
    this.sinks = sinks
    this.host = host
    this.stateDirectory = mkdtempSync(join(tmpdir(), 'pipe-backup-vault-'))
  }

  /** Another host of the same vault on the same sinks. */
  anotherHost(): TestVault {
    return new TestVault(this.master, this.keys, this.sinks, createVaultHost(this.keys))
  }

  /** A sink by its name. @throws Error when there is none */
  sink(name: string): MemorySink {
    const sink = this.sinks.find((candidate) => candidate.name === name)
    if (!sink) throw new Error(`the test has no sink ${name}`)
    return sink
  }

  run(sources: readonly Source[], options: Partial<BackupOptions> = {}): Promise<BackupReport> {
    this.problems.length = 0
    this.sinkProblems.length = 0
    return backup({
      host: this.host,
      hostName: 'test-host',
      program: 'vault test',
      sources,
      sinks: this.sinks,
      copies: this.sinks.length,
      stateDirectory: this.stateDirectory,
      onProblem: (problem) => this.problems.push(problem),
      onSinkProblem: (sink, error) => this.sinkProblems.push({ sink, error }),
      ...options,
    })
  }

  /** @param options - `deep` opens everything with the phrase */
  verify(
    options: Partial<VerifyOptions> & { readonly deep?: boolean | undefined } = {},
  ): Promise<VerifyReport> {
    const { deep = false, ...others } = options
    return verify({
      vaultId: this.host.vaultId,
      keys: this.keys,
      sinks: this.sinks,
      stateDirectory: this.stateDirectory,
      ...(deep && { deepKeys: this.keys }),
      ...others,
    })
  }

  heal(options: Partial<HealOptions> = {}): Promise<HealReport> {
    return heal({
      host: this.host,
      hostName: 'test-host',
      sinks: this.sinks,
      isNew: () => false,
      stateDirectory: this.stateDirectory,
      ...options,
    })
  }

  /** @param keep - ids of the snapshots that stay; default all */
  prune(
    options: Partial<PruneOptions> & { readonly keep?: readonly string[] | undefined } = {},
  ): Promise<PruneReport> {
    const { keep, ...others } = options
    const gone = (snapshots: readonly SnapshotInfo[]) =>
      new Set(keep ? snapshots.map(({ id }) => id).filter((id) => !keep.includes(id)) : [])
    return prune({
      host: this.host,
      hostName: 'test-host',
      sinks: this.sinks,
      choose: gone,
      keeps: () => new Set(keep),
      stateDirectory: this.stateDirectory,
      ...others,
    })
  }

  snapshots(
    sinks: readonly Sink[] = this.sinks,
    options: { readonly onProblem?: (error: Error) => void; readonly withMarks?: boolean } = {},
  ): Promise<readonly SnapshotInfo[]> {
    return listSnapshots({ sinks, keys: this.keys, ...options })
  }

  /**
   * Reads a whole snapshot back, every byte of it.
   * @param spec - as for selectSnapshot
   */
  async read(
    sinks: readonly Sink[] = this.sinks,
    spec = 'latest',
    options: {
      readonly paths?: readonly string[] | undefined
      readonly onProblem?: (error: Error) => void
    } = {},
  ): Promise<Map<string, RestoredEntry>> {
    const { paths, onProblem } = options
    const snapshot = selectSnapshot(await this.snapshots(sinks), spec)
    await using reader = await openSnapshot({
      sinks,
      keys: this.keys,
      snapshot,
      onProblem,
    })
    const restored = new Map<string, RestoredEntry>()
    for await (const entry of reader.entries(paths?.map((path) => Buffer.from(path)))) {
      const name = Buffer.from(entry.path).toString()
      restored.set(
        name,
        entry.type === 'file' ? { entry, bytes: await readFile(entry.open.bind(entry)) } : { entry },
      )
    }
    return restored
  }

  /** As `read`, but files alone and as text. */
  async texts(sinks: readonly Sink[] = this.sinks, spec = 'latest'): Promise<Record<string, string>> {
    const texts: Record<string, string> = {}
    for (const [path, { bytes }] of await this.read(sinks, spec)) if (bytes) texts[path] = bytes.toString()
    return texts
  }

  [Symbol.dispose](): void {
    rmSync(this.stateDirectory, { recursive: true, force: true })
  }
}

async function readFile(open: Extract<Entry, { type: 'file' }>['open']): Promise<Buffer> {
  const reader = await open()
  const pieces: Buffer[] = []
  try {
    const memory = Buffer.alloc(70_000)
    for (;;) {
      const got = await reader.read(memory)
      if (got === 0) break
      pieces.push(Buffer.from(memory.subarray(0, got)))
    }
    await reader.finish()
  } finally {
    await reader.close()
  }
  return Buffer.concat(pieces)
}
