import { constants, mkdirSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pieces, type SinkOptions } from '@pipe-backup/sink'
import type { Share } from './budget.ts'
import type { MemorySpool } from './memory-spool.ts'

/** Waiting shorter than this says nothing about a rate. */
const PACED_MS = 100

/** An object in the spool, in a directory of its own: `7/packs/ab/abcd`. */
export class SpooledObject {
  readonly key: string
  /** Its name for rsync: what follows `/./` is the name on the other side. */
  readonly source: string
  sizeBytes = 0
  readonly #spool: MemorySpool
  readonly #share: Share
  readonly #directory: string
  readonly #path: string
  #file: FileHandle | undefined
  #beganAt = 0
  #heldBackMs = 0

  constructor(spool: MemorySpool, key: string) {
    this.key = key
    this.#spool = spool
    this.#share = spool.up.open()
    this.#directory = spool.newDirectory()
    this.source = `${this.#directory}/./${key}`
    this.#path = join(spool.path, this.#directory, key)
  }

  /** Takes room for so many bytes more, waiting for it. @throws SinkError `too-large`; the signal's reason */
  async reserve(bytes: number, signal?: AbortSignal): Promise<void> {
    await this.#spool.up.take(this.#share, bytes, signal)
  }

  /** The bytes have room already. */
  async write(bytes: Uint8Array, { onBytes, signal }: SinkOptions): Promise<void> {
    this.#beganAt ||= performance.now()
    this.#file ??= await this.#create()
    const reported = async (sizeBytes: number): Promise<void> => {
      const from = performance.now()
      await onBytes?.(sizeBytes)
      this.#heldBackMs += performance.now() - from
    }
    for await (const piece of pieces(bytes, { onBytes: reported, signal })) {
      for (let at = 0; at < piece.length; ) at += (await this.#file.write(piece, at)).bytesWritten
      this.sizeBytes += piece.length
    }
  }

  async close(): Promise<void> {
    this.#file ??= await this.#create()
    await this.#file.close()
    this.#file = undefined
  }

  /** How fast the bytes were let in, in bytes a second; infinite when nobody held them back. */
  get pace(): number {
    const tookMs = performance.now() - this.#beganAt
    if (this.#heldBackMs < PACED_MS || this.#heldBackMs < tookMs / 2) return Number.POSITIVE_INFINITY
    return (this.sizeBytes / this.#heldBackMs) * 1000
  }

  get path(): string {
    return this.#path
  }

  async discard(): Promise<void> {
    await this.#file?.close().catch(() => undefined)
    await this.#spool.remove(this.#directory)
    this.#share[Symbol.dispose]()
  }

  #create(): Promise<FileHandle> {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
    const { O_CREAT, O_EXCL, O_WRONLY } = constants
    return open(this.#path, O_CREAT | O_EXCL | O_WRONLY, 0o600)
  }
}
