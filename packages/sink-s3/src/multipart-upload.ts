import { createHash } from 'node:crypto'
import { PassThrough } from 'node:stream'
import type { CompletedPart, UploadPartCommandInput, UploadPartCommandOutput } from '@aws-sdk/client-s3'
import { SinkError } from '@pipe-backup/sink'
import { type Algorithm, proofOf } from './digests.ts'
import type { S3Connection } from './s3-client.ts'
import type { ErrorPlace } from './s3-errors.ts'

/** A part that was sent. */
export interface SentPart {
  readonly sizeBytes: number
  readonly digest: Buffer
}

export interface MultipartOptions {
  readonly connection: Pick<S3Connection, 'sdk' | 'Upload' | 'client'>
  /** In bytes, 5 MiB at least. */
  readonly partBytes: number
  readonly place: ErrorPlace
  /** What parts are checked with: SHA-256 where the store echoes it. */
  readonly algorithm: Algorithm
  /** Begins it. @returns the upload's id */
  create(): Promise<string>
  sendPart(
    part: Pick<UploadPartCommandInput, 'UploadId' | 'PartNumber' | 'ContentMD5' | 'ChecksumSHA256'> & {
      readonly Body: Uint8Array
    },
  ): Promise<UploadPartCommandOutput>
  /** Makes the object visible. */
  commit(id: string, stored: readonly CompletedPart[], sent: readonly SentPart[]): Promise<void>
  /** Removes the parts. */
  abort(id: string): Promise<void>
  /** Called at once when it has failed. */
  fail(error: unknown): void
}

type Client = S3Connection['client']

const PARTS_AT_ONCE = 4
const MAX_PARTS = 10_000
/** What the SDK takes for a part that was stored; which it was is in what is committed. */
const STORED = { ETag: 'stored', $metadata: {} }

/**
 * A stream in parts, by the SDK's `Upload`: it cuts the parts and sends them, several at once. What it asks its client for is done here, with digests,
 * conditions and proofs that it knows nothing of. Its `abort()` is not called: it would neither wait for what is on its way nor remove the parts.
 */
export class MultipartUpload {
  readonly #options: MultipartOptions
  readonly #body = new PassThrough({ highWaterMark: 1 })
  readonly #sent: SentPart[] = []
  readonly #stored: CompletedPart[] = []
  readonly #done: Promise<void>
  #id: string | undefined
  #failure: { readonly error: unknown } | undefined
  /** Ends the wait for room. */
  #goOn = (): void => undefined

  constructor(options: MultipartOptions) {
    this.#options = options
    const { connection, partBytes } = options
    const client = Object.create(connection.client, {
      send: { value: (command: object) => this.#answer(command) },
    }) as Client
    const upload = new connection.Upload({
      client,
      // Where it goes is known to who sends the requests.
      params: { Bucket: '-', Key: '-', Body: this.#body },
      partSize: partBytes,
      queueSize: PARTS_AT_ONCE,
      leavePartsOnError: true,
    })
    this.#done = upload
      .done()
      .then(
        () => undefined,
        (error: unknown) => this.#fail(error),
      )
      .finally(() => this.#goOn())
  }

  /** Takes bytes over, a few at a time. Resolves when more may come. */
  async write(bytes: Buffer): Promise<void> {
    this.#throwFailure()
    // Not a race against the end: each piece would leave something behind that waits for it.
    await new Promise<void>((resolve) => {
      this.#goOn = resolve
      this.#body.write(bytes, () => resolve())
    })
    this.#throwFailure()
  }

  async complete(): Promise<void> {
    this.#body.end()
    await this.#done
    this.#throwFailure()
  }

  /** Ends it, and removes the parts. */
  async discard(): Promise<void> {
    this.#body.destroy()
    // Not before the last of its requests has ended: a part that comes later would stay.
    await this.#done
    if (this.#id !== undefined) await this.#options.abort(this.#id)
  }

  async #answer(command: object): Promise<object> {
    const { sdk } = this.#options.connection
    try {
      if (command instanceof sdk.CreateMultipartUploadCommand) {
        this.#id = await this.#options.create()
        return { UploadId: this.#id, $metadata: {} }
      }
      if (command instanceof sdk.UploadPartCommand) {
        const { PartNumber = 0, Body } = command.input
        await this.#sendPart(PartNumber, Body as Uint8Array)
        return STORED
      }
      if (command instanceof sdk.CompleteMultipartUploadCommand) {
        await this.#options.commit(this.#id ?? '', this.#stored, this.#sent)
        return STORED
      }
    } catch (error) {
      this.#fail(error)
      throw error
    }
    throw new Error(`an upload in parts has no ${command.constructor.name}`)
  }

  async #sendPart(number: number, body: Uint8Array): Promise<void> {
    const { algorithm, partBytes, place } = this.#options
    if (number > MAX_PARTS) {
      const hint = 'Make `partBytes` larger.'
      throw new SinkError('too-large', `has more than ${MAX_PARTS * partBytes} bytes`, { ...place, hint })
    }
    const digest = createHash(algorithm).update(body).digest()
    this.#sent[number - 1] = { sizeBytes: body.length, digest }
    const claim = digest.toString('base64')
    const claimed = algorithm === 'sha256' ? { ChecksumSHA256: claim } : { ContentMD5: claim }
    const answer = await this.#options.sendPart({
      UploadId: this.#id,
      PartNumber: number,
      Body: body,
      ...claimed,
    })
    if (proofOf(answer, (asked) => (asked === algorithm ? digest : undefined)) === 'wrong')
      throw new SinkError('corrupt', `part ${number} is not what was sent`, place)
    this.#stored[number - 1] = {
      PartNumber: number,
      ETag: answer.ETag,
      ChecksumSHA256: answer.ChecksumSHA256,
    }
  }

  /** The first one counts: what is destroyed because of it fails, too. */
  #fail(error: unknown): void {
    if (this.#failure) return
    this.#failure = { error }
    this.#options.fail(error)
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
