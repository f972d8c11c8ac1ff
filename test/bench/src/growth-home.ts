import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKeys, phraseFromMaster, type VaultKeys } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import { localSink } from '@pipe-backup/sink-local'
import { filesSource } from '@pipe-backup/source-files'
import { backup, createVaultHost, encodeHostKey, initVault, type VaultHost } from '@pipe-backup/vault'
import { measure, programIn, type Sample, toNowhere } from './measure.ts'

const HOUR_MS = 3_600_000

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
    await this.#backUp(this.#host, count, 'state-of-packages', change)
  }

  /** As many hosts, each with a snapshot of its own files. @param change - called before each */
  async addHosts(count: number, change: (i: number) => void): Promise<void> {
    for (let i = 0; i < count; i++) {
      const state = `state-${i}`
      await this.#backUp(createVaultHost(this.#keys), 1, state, () => change(i), `host-${i}`)
      rmSync(join(this.directory, state), { recursive: true, force: true })
    }
  }

  async #backUp(
    host: VaultHost,
    count: number,
    state: string,
    change: (i: number) => void,
    hostName = 'this-host',
  ): Promise<void> {
    const first = Date.now() - (count + 1) * HOUR_MS
    for (let i = 0; i < count; i++) {
      change(i)
      const report = await backup({
        host,
        hostName,
        program: 'growth',
        sources: [filesSource({ name: 'data', paths: [join(this.directory, 'data')] })],
        sinks: [this.#sink],
        copies: 1,
        stateDirectory: join(this.directory, state),
        now: () => new Date(first + i * HOUR_MS),
      })
      if (report.exitCode !== 0) throw new Error(`snapshot ${i}: exit code ${report.exitCode}`)
    }
  }
}
