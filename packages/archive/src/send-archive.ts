import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { encrypt, type HostKeys, type Signer } from '@pipe-backup/crypto'
import { type Sink, toError, unlessAborted } from '@pipe-backup/sink'
import { type FanOutResult, TooFewWritersError, tee } from '@pipe-backup/tee'
import { type ArchiveName, archiveId, archiveKey, sumKey } from './archive-key.ts'
import { encodeSum } from './archive-sum.ts'

const PIECE_BYTES = 1024 * 1024
/** Who has stopped it does not wait for long. */
const TAKE_BACK_MS = 5_000

export interface SendArchiveOptions extends ArchiveName {
  /** What is to be in it: a tar, or any bytes. When it fails nothing is published. */
  readonly content: AsyncIterable<Uint8Array>
  readonly keys: Pick<HostKeys, 'publicKey' | 'indexKey'>
  /** Public keys that open it too. */
  readonly recipients?: readonly Uint8Array[] | undefined
  /** Who sends it. */
  readonly signer: Signer
  readonly sinks: readonly Sink[]
  /** So many sinks must take it: with fewer left it is given up. */
  readonly copies: number
  /** Tries a sink before anything is read. @throws why it is not to be used */
  readonly check?: ((sink: Sink) => Promise<void>) | undefined
  /** Memory for bytes on their way, for all the sinks together. Default 64 MiB. */
  readonly windowBytes?: number | undefined
  readonly detachAfterMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** How many bytes have gone to a sink so far. */
  readonly onSent?: ((sink: string, bytes: number) => void) | undefined
  /** Called with each sink that fails, once. */
  readonly onSinkProblem?: ((sink: string, error: Error) => void) | undefined
}

export interface SentSink {
  readonly name: string
  /** `ok`: it holds the archive and its proof; `discarded`: it did what it should, and there is no archive. */
  readonly state: 'ok' | 'detached' | 'failed' | 'discarded'
  readonly bytesSent: number
  readonly error?: Error | undefined
}

export interface SentArchive {
  /** Null when none was published. */
  readonly id: string | null
  readonly sizeBytes: number
  readonly sinks: readonly SentSink[]
  /** Why none was published, where that was not for want of sinks. */
  readonly error?: Error | undefined
}

/**
 * One encrypted stream to all the sinks at once. An archive is one on a sink when its proof stands beside it: that is written when all the
 * bytes are on as many sinks as must have it. Each sink fails alone. Memory: the window.
 * @throws the abort's reason
 */
export async function sendArchive(options: SendArchiveOptions): Promise<SentArchive> {
  return await new Sending(options).run()
}

class Sending {
  readonly #options: SendArchiveOptions
  readonly #id: string
  readonly #hash = createHash('sha256')
  #sizeBytes = 0
  readonly #sent = new Map<string, number>()
  readonly #errors = new Map<string, Error>()
  readonly #detached = new Set<string>()

  constructor(options: SendArchiveOptions) {
    this.#options = options
    this.#id = archiveId(options)
  }

  async run(): Promise<SentArchive> {
    const { keys, recipients = [], content, copies, signal } = this.#options
    const sinks = await this.#usable()
    signal?.throwIfAborted()
    if (sinks.length < copies) return this.#report(null)
    const writers = sinks.map((sink) => this.#writer(sink))
    const onResult = (results: readonly FanOutResult[]) => this.#take(results)
    const { windowBytes, detachAfterMs } = this.#options
    const out = tee(writers, {
      names: sinks.map(({ name }) => name),
      minWriters: copies,
      onResult,
      windowBytes,
      detachAfterMs,
    })
    try {
      const encryptor = encrypt([keys.publicKey, ...recipients], { label: this.#id })
      const measured = (pieces: AsyncIterable<Uint8Array>) => this.#measured(pieces)
      // Who stops it does not wait for a content that does not come.
      await unlessAborted(pipeline(content, encryptor, measured, out, { signal }), signal)
    } catch (error) {
      await this.#takeBack(sinks.filter((_, i) => writers[i]?.writableFinished))
      signal?.throwIfAborted()
      if (error instanceof TooFewWritersError) return this.#report(null)
      return this.#report(null, toError(error))
    }
    await this.#publish(sinks.filter(({ name }) => !this.#errors.has(name)))
    return this.#report(this.#id)
  }

  async #usable(): Promise<readonly Sink[]> {
    const { sinks, check } = this.#options
    await Promise.all(
      sinks.map(async (sink) => {
        try {
          await check?.(sink)
        } catch (error) {
          this.#fail(sink.name, error)
        }
      }),
    )
    return sinks.filter(({ name }) => !this.#errors.has(name))
  }

  #writer(sink: Sink): Writable {
    const { signal, onSent } = this.#options
    const writer = sink.createWriteStream(archiveKey(this.#id), {
      ifAbsent: true,
      signal,
      onBytes: (bytes) => {
        // A sink that reads back what it was sent reports that too.
        const sent = Math.min((this.#sent.get(sink.name) ?? 0) + bytes, this.#sizeBytes)
        this.#sent.set(sink.name, sent)
        onSent?.(sink.name, sent)
        return undefined
      },
    })
    writer.on('error', (error) => this.#fail(sink.name, error))
    return writer
  }

  /** Joins what is encrypted into pieces that are worth a write on every sink. */
  async *#measured(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let small: Uint8Array[] = []
    let bytes = 0
    const joined = (): Buffer => {
      const piece = Buffer.concat(small, bytes)
      this.#hash.update(piece)
      this.#sizeBytes += bytes
      small = []
      bytes = 0
      return piece
    }
    for await (const piece of pieces) {
      small.push(piece)
      bytes += piece.length
      if (bytes >= PIECE_BYTES) yield joined()
    }
    if (bytes > 0) yield joined()
  }

  #take(results: readonly FanOutResult[]): void {
    for (const { name, state, error } of results) {
      if (state === 'ok') continue
      if (state === 'detached') this.#detached.add(name)
      this.#fail(name, error ?? new Error('failed'))
    }
  }

  /** The proofs, all at once: from now on it is an archive. */
  async #publish(sinks: readonly Sink[]): Promise<void> {
    const { signer, signal } = this.#options
    const sha256 = this.#hash.digest('hex')
    const object = encodeSum(signer, { id: this.#id, sizeBytes: this.#sizeBytes, sha256 })
    await Promise.all(
      sinks.map(async (sink) => {
        try {
          await sink.put(sumKey(this.#id), object, { signal })
        } catch (error) {
          this.#fail(sink.name, error)
        }
      }),
    )
    signal?.throwIfAborted()
  }

  /** Where it arrived although it is none. What can't be removed now has no proof, and goes with a prune. */
  async #takeBack(sinks: readonly Sink[]): Promise<void> {
    const signal = AbortSignal.timeout(TAKE_BACK_MS)
    await Promise.allSettled(sinks.map((sink) => sink.delete(archiveKey(this.#id), { signal })))
  }

  #fail(sink: string, reason: unknown): void {
    if (this.#options.signal?.aborted || this.#errors.has(sink)) return
    const error = toError(reason)
    this.#errors.set(sink, error)
    this.#options.onSinkProblem?.(sink, error)
  }

  #report(id: string | null, error?: Error): SentArchive {
    const sinks = this.#options.sinks.map(({ name }): SentSink => {
      const failure = this.#errors.get(name)
      const isFine = id === null ? 'discarded' : 'ok'
      const state = this.#detached.has(name) ? 'detached' : failure ? 'failed' : isFine
      return { name, state, bytesSent: this.#sent.get(name) ?? 0, error: failure }
    })
    return { id, sizeBytes: this.#sizeBytes, sinks, error }
  }
}
