import { createHash } from 'node:crypto'
import type { CompletedPart, UploadPartCommandInput, UploadPartCommandOutput } from '@aws-sdk/client-s3'
import { SinkError } from '@pipe-backup/sink'
import { type Algorithm, proofOf } from './digests.ts'
import type { PartsUpload } from './object-writable.ts'
import type { ErrorPlace } from './s3-errors.ts'

/** A part that was sent. */
export interface SentPart {
  readonly sizeBytes: number
  readonly digest: Buffer
}

export interface MultipartOptions {
  readonly partBytes: number
  readonly place: ErrorPlace
  /** What parts are checked with: SHA-256 where the store echoes it. */
  readonly algorithm: Algorithm
  sendPart(
    part: Pick<UploadPartCommandInput, 'PartNumber' | 'ContentMD5' | 'ChecksumSHA256'> & {
      readonly Body: Uint8Array
    },
  ): Promise<UploadPartCommandOutput>
  /** Makes the object visible. */
  commit(stored: readonly CompletedPart[], sent: readonly SentPart[]): Promise<void>
  /** Removes the parts. */
  abort(): Promise<void>
  /** Told at once when it has failed. */
  fail(error: unknown): void
}

const PARTS_AT_ONCE = 4
const MAX_PARTS = 10_000

/** An upload that has begun: nothing is visible before `complete`. */
export class MultipartUpload implements PartsUpload {
  readonly #options: MultipartOptions
  readonly #sending = new Set<Promise<void>>()
  readonly #sent: SentPart[] = []
  readonly #stored: CompletedPart[] = []
  #failure: { readonly error: unknown } | undefined

  constructor(options: MultipartOptions) {
    this.#options = options
  }

  async send(part: Buffer): Promise<void> {
    const { partBytes, place } = this.#options
    if (this.#sent.length === MAX_PARTS) {
      const most = MAX_PARTS * partBytes
      const hint = 'Make `partBytes` larger.'
      throw new SinkError('too-large', `has more than ${most} bytes`, { ...place, hint })
    }
    while (this.#sending.size >= PARTS_AT_ONCE) await Promise.race(this.#sending)
    this.#throwFailure()
    const sending = this.#send(part).catch((error: unknown) => {
      this.#failure ??= { error }
      this.#options.fail(error)
    })
    const counted = sending.finally(() => this.#sending.delete(counted))
    this.#sending.add(counted)
  }

  async complete(): Promise<void> {
    await Promise.all(this.#sending)
    this.#throwFailure()
    await this.#options.commit(this.#stored, this.#sent)
  }

  async discard(): Promise<void> {
    // Not before the last of its requests has ended: a part that comes later would stay.
    await Promise.all(this.#sending)
    await this.#options.abort()
  }

  async #send(body: Buffer): Promise<void> {
    const { algorithm, place } = this.#options
    const digest = createHash(algorithm).update(body).digest()
    const number = this.#sent.push({ sizeBytes: body.length, digest })
    const claim = digest.toString('base64')
    const claimed = algorithm === 'sha256' ? { ChecksumSHA256: claim } : { ContentMD5: claim }
    const answer = await this.#options.sendPart({ PartNumber: number, Body: body, ...claimed })
    if (proofOf(answer, (asked) => (asked === algorithm ? digest : undefined)) === 'wrong')
      throw new SinkError('corrupt', `part ${number} is not what was sent`, place)
    this.#stored[number - 1] = {
      PartNumber: number,
      ETag: answer.ETag,
      ...(answer.ChecksumSHA256 !== undefined && { ChecksumSHA256: answer.ChecksumSHA256 }),
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
