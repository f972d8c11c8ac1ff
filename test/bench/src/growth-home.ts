import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys, phraseFromMaster, type VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { localSink } from '@pipe-backup/sink-local'
import { filesSource } from '@pipe-backup/source-files'
import { backup, createVaultHost, encodeHostKey, initVault, type VaultHost } from '@pipe-backup/vault'
import { measure, programIn, type Sample, toNowhere } from './measure.ts'

const HOUR_MS = 3_600_000
/** How many snapshots are made apart from the vault before they are moved into it: a run lists all that is in a vault. */
const BATCH = 200

/** A vault on one local sink, a server that is backed up to it, and whatever else is to be in the vault: by the command, or faster by the packages. */
export class GrowthHome {
  readonly directory: string
  readonly #keys: VaultKeys
  readonly #host: VaultHost
  readonly #sink: Sink

  /** @param directory - made, and made empty @param source - of the configuration, beside its name */
  static async create(directory: string, source: object): Promise<GrowthHome> {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(join(directory, 'sink'), { recursive: true })
    mkdirSync(join(directory, 'data'))
    const master = new Uint8Array(32).fill(11)
    const keys = await deriveKeys(master)
    const home = new GrowthHome(directory, keys)
    await initVault({ sinks: [home.#sink], publicKey: keys.publicKey })
    const secret = { mode: 0o600 }
    writeFileSync(join(directory, 'phrase'), `${phraseFromMaster(master)}\n`, secret)
    writeFileSync(join(directory, 'host.key'), encodeHostKey(home.#host), secret)
    const config = {
      hostKey: 'host.key',
      state: 'state',
      sources: [{ name: 'data', ...source }],
      sinks: [{ type: 'local', name: 'one', path: 'sink' }],
      copies: 1,
      keep: { hourly: 24, daily: 7, weekly: 4, monthly: 12 },
    }
    writeFileSync(join(directory, 'pipe-backup.json'), JSON.stringify(config))
    return home
  }

  private constructor(directory: string, keys: VaultKeys) {
    this.directory = directory
    this.#keys = keys
    this.#host = createVaultHost(keys)
    this.#sink = localSink({ name: 'one', path: join(directory, 'sink') })
  }

  /** @param args - `PHRASE` stands for the options that give it */
  run(...args: readonly string[]): Promise<Sample> {
    const given = args.flatMap((arg) => (arg === 'PHRASE' ? ['--phrase-file', 'phrase'] : [arg]))
    // A listing of a million lines is not to be held here.
    return measure(toNowhere(programIn(this.directory, ...given)), this.directory)
  }

  /** Hourly snapshots of `data` by one host, before now. @param change - called before each */
  async addSnapshots(count: number, change: (i: number) => void): Promise<void> {
    const first = Date.now() - (count + 1) * HOUR_MS
    const writer = { host: this.#host, hostName: 'this-host', state: 'state-of-packages' }
    await this.#inBatches(count, async (sink, i) => {
      // What earlier batches stored is not in this one's sink.
      if (i % BATCH === 0) this.#remove(writer.state)
      change(i)
      await this.#backUp({ ...writer, sink, time: new Date(first + i * HOUR_MS) })
    })
  }

  /** As many hosts, each with a snapshot of its own files. @param change - called before each */
  async addHosts(count: number, change: (i: number) => void): Promise<void> {
    const time = new Date(Date.now() - HOUR_MS)
    await this.#inBatches(count, async (sink, i) => {
      const state = `state-${i}`
      change(i)
      await this.#backUp({ host: createVaultHost(this.#keys), hostName: `host-${i}`, state, sink, time })
      this.#remove(state)
    })
  }

  async #inBatches(count: number, add: (sink: Sink, i: number) => Promise<void>): Promise<void> {
    const path = join(this.directory, 'batch')
    const sink = localSink({ name: 'one', path })
    for (let i = 0; i < count; i++) {
      if (i % BATCH === 0) {
        mkdirSync(path)
        cpSync(join(this.directory, 'sink', 'vault.json'), join(path, 'vault.json'))
      }
      await add(sink, i)
      if (i % BATCH < BATCH - 1 && i < count - 1) continue
      cpSync(path, join(this.directory, 'sink'), { recursive: true })
      this.#remove('batch')
    }
  }

  #remove(name: string): void {
    rmSync(join(this.directory, name), { recursive: true, force: true })
  }

  async #backUp({ host, hostName, state, sink, time }: Writing): Promise<void> {
    const report = await backup({
      host,
      hostName,
      program: 'growth',
      sources: [filesSource({ name: 'data', paths: [join(this.directory, 'data')] })],
      sinks: [sink],
      copies: 1,
      stateDirectory: join(this.directory, state),
      now: () => time,
    })
    if (report.exitCode !== 0)
      throw new Error(`${hostName}, ${time.toISOString()}: exit code ${report.exitCode}`)
  }
}

interface Writing {
  readonly host: VaultHost
  readonly hostName: string
  /** Name of its state directory. */
  readonly state: string
  readonly sink: Sink
  readonly time: Date
}
