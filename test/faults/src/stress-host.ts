import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Source } from '@pipe-backup/source'
import { createVaultHost, type VaultHost } from '@pipe-backup/vault'
import { fileEntry, fingerprintOf } from './simulated-server.ts'
import { keys } from './small-vault.ts'

interface File {
  readonly bytes: Buffer
  readonly inode: bigint
  readonly changed: bigint
}

/** What a snapshot must restore to. */
export interface Expectation {
  readonly fingerprint: string
  readonly bytes: number
}

const SOURCES = ['moving', 'steady'] as const
const MAX_FILES = 4
const MAX_BYTES = 1200

/** A server with a few small files, of which some change between its backups. */
export class StressHost {
  readonly name: string
  readonly role: 'write' | 'maintain'
  readonly stateDirectory: string
  identity: VaultHost
  /** How far its clock is off, in milliseconds. */
  skewMs = 0
  /** The newest snapshot that it was told is on a sink, by the sink's name; as long as it has its state. */
  readonly newest: Map<string, string> = new Map()
  readonly #random: () => number
  readonly #files = new Map<string, File>()
  #ticks = 0n

  constructor(name: string, role: StressHost['role'], directory: string, random: () => number) {
    this.name = name
    this.role = role
    this.stateDirectory = join(directory, name)
    this.#random = random
    this.identity = createVaultHost(keys, role)
    mkdirSync(this.stateDirectory)
    this.#write('steady/file', 900)
    this.change()
  }

  /** Some files change, come and go. */
  change(): void {
    const random = this.#random
    if (random() < 0.2) this.#write('steady/file', random() * MAX_BYTES)
    for (let i = 0; i < MAX_FILES; i++) {
      const path = `moving/file-${i}`
      const dice = random()
      if (dice < 0.4) this.#write(path, random() * MAX_BYTES)
      else if (dice < 0.5) this.#files.delete(path)
    }
  }

  sources(): Source[] {
    const files = [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))
    return SOURCES.map(
      (name): Source => ({
        name,
        async *entries() {
          for (const [path, file] of files)
            if (path.startsWith(`${name}/`)) yield fileEntry(path.slice(name.length + 1), file)
        },
      }),
    )
  }

  expectation(): Expectation {
    const files = [...this.#files].map(([path, { bytes }]) => [path, bytes] as const)
    return {
      fingerprint: fingerprintOf(files),
      bytes: files.reduce((sum, [, bytes]) => sum + bytes.length, 0),
    }
  }

  /** Its disk failed: caches and what it remembers are gone. */
  loseState(): void {
    rmSync(this.stateDirectory, { recursive: true })
    mkdirSync(this.stateDirectory)
    this.newest.clear()
  }

  /** It joins the vault again, with a key of its own. */
  reinstall(): void {
    this.loseState()
    this.identity = createVaultHost(keys, this.role)
  }

  /** Its state as it is at this moment. @returns to be called when the operation that goes on has ended: puts it back */
  freezeState(): () => void {
    const frozen = `${this.stateDirectory}-frozen`
    rmSync(frozen, { recursive: true, force: true })
    cpSync(this.stateDirectory, frozen, { recursive: true })
    return () => {
      rmSync(this.stateDirectory, { recursive: true })
      cpSync(frozen, this.stateDirectory, { recursive: true })
    }
  }

  #write(path: string, length: number): void {
    const bytes = Buffer.alloc(Math.floor(length))
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(this.#random() * 256)
    const inode = this.#files.get(path)?.inode ?? BigInt(this.#files.size + 1)
    this.#files.set(path, { bytes, inode, changed: ++this.#ticks })
  }
}
