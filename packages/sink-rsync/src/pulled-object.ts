import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { checkMaxBytes, SinkError } from '@pipe-backup/sink'
import { meansAbsent, whatIsThere } from './listing.ts'
import type { MemorySpool } from './memory-spool.ts'
import { spoolError } from './rsync-errors.ts'
import type { RsyncServer } from './rsync-server.ts'
import { ProgramFailure } from './run-program.ts'

/** Room that is taken before the size is known: a pack and more. */
const GUESS_BYTES = 32 * 1024 * 1024

export interface PullOptions {
  /** `corrupt` when the object has more. */
  readonly maxBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** An object that rsync has brought and checked. Its file has no name any more: it is gone when it is closed, or this process ends. */
export class PulledObject implements AsyncDisposable {
  readonly sizeBytes: number
  readonly #file: FileHandle
  readonly #held: AsyncDisposableStack

  /** @throws SinkError `not-found`, `corrupt`, `too-large`; ProgramFailure; the signal's reason */
  static async pull(
    server: RsyncServer,
    spool: MemorySpool,
    key: string,
    { maxBytes, signal }: PullOptions,
  ): Promise<PulledObject> {
    const guess = Math.max(1, Math.min(GUESS_BYTES, spool.down.totalBytes, maxBytes ?? GUESS_BYTES))
    const pulled = await tryPull(server, spool, key, guess, signal)
    if (pulled) return pulled
    const size = (await whatIsThere(server, [key], signal)).get(key)?.sizeBytes
    if (size === undefined) throw notFound(spool, key)
    checkMaxBytes(size, maxBytes, { sink: spool.sink, key })
    const whole = await tryPull(server, spool, key, size, signal)
    if (whole) return whole
    throw new SinkError('corrupt', 'changed while it was read', { sink: spool.sink, key })
  }

  constructor(file: FileHandle, sizeBytes: number, held: AsyncDisposableStack) {
    this.#file = file
    this.sizeBytes = sizeBytes
    this.#held = held
  }

  /** Bytes in memory of their own. */
  async read(from: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    for (let at = 0; at < length; ) at += (await this.#file.read(bytes, at, length - at, from + at)).bytesRead
    return bytes
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#held.disposeAsync()
  }
}

/** @returns undefined when it has more bytes than that */
async function tryPull(
  server: RsyncServer,
  spool: MemorySpool,
  key: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<PulledObject | undefined> {
  await using undo = new AsyncDisposableStack()
  const share = undo.use(spool.down.open())
  await spool.down.take(share, maxBytes, signal)
  const directory = spool.newDirectory()
  let isTooLarge = false
  try {
    await server.run({
      direction: 'pull',
      local: directory,
      options: [
        '--no-implied-dirs',
        '--ignore-missing-args',
        '--whole-file',
        '--ignore-times',
        `--max-size=${maxBytes}`,
        '--info=skip1,progress2',
      ],
      keys: [key],
      signal,
      onLine: (line) => {
        isTooLarge ||= line.endsWith('is over max-size')
      },
    })
    if (isTooLarge) return undefined
    const file = undo.use(await open(join(spool.path, directory, key), 'r'))
    const found = await file.stat()
    if (!found.isFile()) throw notFound(spool, key)
    share.shrinkTo(found.size)
    return new PulledObject(file, found.size, undo.move())
  } catch (cause) {
    if (meansAbsent(cause) || (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'))
      throw notFound(spool, key)
    // It is this side that writes here.
    if (cause instanceof ProgramFailure && /No space left on device/.test(cause.said))
      throw spoolError('ENOSPC', { sink: spool.sink, key, cause })
    throw cause
  } finally {
    await spool.remove(directory)
  }
}

function notFound({ sink }: MemorySpool, key: string): SinkError {
  return new SinkError('not-found', 'is not there', { sink, key })
}
