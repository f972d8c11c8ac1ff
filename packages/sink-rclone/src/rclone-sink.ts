import { createHash, randomBytes } from 'node:crypto'
import {
  checkPublished,
  createSink,
  KeyLock,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  pieces,
  type ReadOptions,
  rangeLength,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import { HASHES, type Hash, type Listed, parseListed } from './listing.ts'
import { isMissing, toSinkError } from './rclone-errors.ts'
import { RcloneProgram } from './rclone-program.ts'

export interface RcloneSinkOptions {
  readonly name: string
  /** `remote:path`, with a remote of rclone's configuration: see `rclone config`. */
  readonly remote: string
  /** The configuration file. Default rclone's own. */
  readonly config?: string | undefined
  /** Default `rclone`. */
  readonly program?: string | undefined
}

/** What a killed client left behind is removed after so long. */
const STALE_MS = 24 * 60 * 60 * 1000
const DISCARD_MS = 5000
const KEYS_AT_ONCE = 500
/** No key has such a name, so no listing shows it. */
const TEMPORARY = /(?:^|\/)\.pb-[0-9a-f]{24}\.tmp$/

/**
 * What is below a path of any remote that rclone knows.
 * @throws TypeError for a remote that is none, or that has options in it: they may be secret, and would show in the list of processes
 */
export function rcloneSink(options: RcloneSinkOptions): Sink {
  const { name, remote } = options
  if (!/^:?[\w.+@ -]+:[^\0\n]*$/.test(remote) || remote.startsWith('-'))
    throw new TypeError(
      `${name}: remote is "name:path", with a name from \`rclone config\` and no options in it`,
    )
  return createSink(new RcloneProvider(options))
}

class RcloneProvider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean = false
  readonly #rclone: RcloneProgram
  readonly #root: string
  readonly #lock = new KeyLock()
  /** What the remote has said of an object before; it then need not be computed in other ways. */
  #hashes: readonly Hash[] = HASHES

  constructor({ name, remote, config, program }: RcloneSinkOptions) {
    this.name = name
    this.#root = /[:/]$/.test(remote) ? remote : `${remote}/`
    this.#rclone = new RcloneProgram(program ?? 'rclone', config)
  }

  /** To a temporary name, for not every remote shows an object whole or not at all; checked there; then moved by the remote. */
  async upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    const { ifAbsent, signal } = options
    const temporary = `${key.slice(0, key.lastIndexOf('/') + 1)}.pb-${randomBytes(12).toString('hex')}.tmp`
    try {
      const sent = await this.#send(temporary, body, options)
      await this.#check(temporary, key, sent, options)
      await this.#lock.run(key, async () => {
        if (ifAbsent && (await this.head(key, { signal })))
          throw new SinkError('exists', 'exists already', { sink: this.name, key })
        await this.#rclone.run(['moveto', '--ignore-times', this.#at(temporary), this.#at(key)], { signal })
        const there = await this.head(key, { signal })
        checkPublished({ sink: this.name, key, sentBytes: sent.sizeBytes, thereBytes: there?.sizeBytes })
      })
    } catch (error) {
      const discarding = AbortSignal.timeout(DISCARD_MS)
      await this.#rclone
        .run(['deletefile', this.#at(temporary)], { signal: discarding })
        .catch(() => undefined)
      throw error
    }
  }

  async read(key: string, range: ReadOptions): Promise<ObjectRange> {
    const { offset = 0, signal } = range
    const found = await this.head(key, { signal })
    if (!found) throw new SinkError('not-found', 'is not there', { sink: this.name, key })
    const sizeBytes = rangeLength(found.sizeBytes, range, { sink: this.name, key })
    if (sizeBytes === 0) return { sizeBytes, pieces: (async function* () {})() }
    const args = ['cat', '--offset', String(offset), '--count', String(sizeBytes), this.#at(key)]
    const closed = new AbortController()
    const either = signal ? AbortSignal.any([signal, closed.signal]) : closed.signal
    return { sizeBytes, pieces: this.#rclone.output(args, { signal: either }), close: () => closed.abort() }
  }

  async head(key: string, { signal }: SinkOptions): Promise<ObjectInfo | undefined> {
    const found = await this.#stat(key, [], signal)
    return found && { key, sizeBytes: found.Size, storedAt: new Date(found.ModTime) }
  }

  async *list(folder: string, { signal, onBytes }: SinkOptions): AsyncGenerator<ObjectInfo> {
    const below = folder === '' ? '' : `${folder}/`
    const args = ['lsjson', '--recursive', '--files-only', '--no-mimetype', this.#at(folder)]
    try {
      for await (const line of this.#rclone.lines(args, { signal })) {
        await onBytes?.(0)
        // One object a line, in a list that is as long as it is.
        if (!line.startsWith('{')) continue
        const { Path, Size, ModTime } = parseListed(line.replace(/,$/, ''), this.name)
        const key = below + Path
        if (TEMPORARY.test(key)) await this.#removeStale(key, ModTime)
        else yield { key, sizeBytes: Size, storedAt: new Date(ModTime) }
      }
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  async remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    const failed = new Map<string, SinkError>()
    for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
      for (const [key, error] of await this.#removeSome(keys.slice(at, at + KEYS_AT_ONCE), options))
        failed.set(key, error)
      await options.onBytes?.(0)
    }
    return failed
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, this.name, key)
  }

  #at(key: string): string {
    return this.#root + key
  }

  async #removeSome(keys: readonly string[], { signal }: SinkOptions): Promise<Map<string, SinkError>> {
    const failed = new Map<string, SinkError>()
    try {
      const input = keys.map((key) => `${key}\n`).join('')
      await this.#rclone.run(['delete', '--files-from-raw', '-', this.#root], { signal, input })
    } catch (cause) {
      signal?.throwIfAborted()
      const error = toSinkError(cause, this.name)
      if (!(error instanceof SinkError)) throw error
      // It does not say which of them are still there.
      if (!isMissing(cause))
        for (const key of keys) if (await this.head(key, { signal })) failed.set(key, error)
    }
    return failed
  }

  async #send(
    temporary: string,
    body: UploadBody,
    { signal }: PutOptions,
  ): Promise<{ readonly sizeBytes: number; readonly hashes: ReadonlyMap<Hash, string> }> {
    const computing = this.#hashes.map((type) => ({ type, hash: createHash(type) }))
    let sizeBytes = 0
    const measured = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of body.pieces()) {
        for (const { hash } of computing) hash.update(piece)
        sizeBytes += piece.length
        yield piece
      }
    }
    await this.#rclone.run(['rcat', this.#at(temporary)], { signal, input: measured() })
    return { sizeBytes, hashes: new Map(computing.map(({ type, hash }) => [type, hash.digest('hex')])) }
  }

  /** By the best hash that the remote has of it, or by reading it back. @throws SinkError `corrupt` */
  async #check(
    temporary: string,
    key: string,
    sent: { readonly sizeBytes: number; readonly hashes: ReadonlyMap<Hash, string> },
    options: PutOptions,
  ): Promise<void> {
    const { signal } = options
    const [wanted] = sent.hashes.keys()
    const types = [...sent.hashes.keys()].flatMap((type) => ['--hash-type', type])
    const there = await this.#stat(temporary, types, signal)
    checkPublished({ sink: this.name, key, sentBytes: sent.sizeBytes, thereBytes: there?.Size })
    const known = HASHES.find((type) => there?.Hashes?.[type])
    this.#hashes = known ? [known] : [wanted ?? 'sha256']
    const said = known
      ? there?.Hashes?.[known]
      : await this.#readBack(temporary, this.#hashes[0] ?? 'sha256', options)
    if (said === sent.hashes.get(this.#hashes[0] ?? 'sha256')) return
    throw new SinkError('corrupt', 'what arrived is not what was sent', { sink: this.name, key })
  }

  async #readBack(path: string, type: Hash, { signal, onBytes }: PutOptions): Promise<string> {
    const hash = createHash(type)
    for await (const got of this.#rclone.output(['cat', this.#at(path)], { signal }))
      for await (const piece of pieces(got, { signal, onBytes })) hash.update(piece)
    return hash.digest('hex')
  }

  async #stat(
    path: string,
    options: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Listed | undefined> {
    try {
      const said = await this.#rclone.run(['lsjson', '--stat', ...options, this.#at(path)], { signal })
      const found = parseListed(said, this.name)
      return found.IsDir ? undefined : found
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async #removeStale(key: string, modified: string): Promise<void> {
    if (Date.now() - Date.parse(modified) < STALE_MS) return
    // Who may not delete can list all the same.
    await this.#rclone
      .run(['deletefile', this.#at(key)], { signal: AbortSignal.timeout(DISCARD_MS) })
      .catch(() => undefined)
  }
}
