import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { type Sink, toError } from '@pipe-backup/sink'
import { type FanOutResult, tee } from '@pipe-backup/tee'
import { ArchiveError } from './archive-error.ts'
import { archiveKey } from './archive-key.ts'
import type { ArchiveInfo } from './list-archives.ts'

/**
 * Reads an archive from a sink and proves it, to its last byte.
 * @throws ArchiveError `corrupt`; SinkError
 */
export async function* provenBytes(
  sink: Sink,
  { id, sizeBytes, sha256 }: Pick<ArchiveInfo, 'id' | 'sizeBytes' | 'sha256'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of await sink.createReadStream(archiveKey(id), { signal })) {
    const got = piece as Uint8Array
    hash.update(got)
    bytes += got.length
    yield got
  }
  if (bytes !== sizeBytes || hash.digest('hex') !== sha256)
    throw new ArchiveError('corrupt', `${archiveKey(id)} on sink "${sink.name}" is damaged`)
}

export interface CopyResult {
  readonly done: readonly Sink[]
  readonly failed: ReadonlyMap<Sink, Error>
}

/**
 * Copies an archive from one sink to others, in one reading, through memory. It appears on them only when all of it was proven.
 * @throws what was wrong with the one that was read
 */
export async function copyArchive(
  archive: ArchiveInfo,
  from: Sink,
  to: readonly Sink[],
  signal: AbortSignal | undefined,
): Promise<CopyResult> {
  const failed = new Map<Sink, Error>()
  let reading: Error | undefined
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* provenBytes(from, archive, signal)
    } catch (error) {
      reading = toError(error)
      throw error
    }
  }
  const onResult = (results: readonly FanOutResult[]): void => {
    for (const [i, { state, error }] of results.entries()) {
      const sink = to[i]
      if (sink && state !== 'ok') failed.set(sink, error ?? new Error(state))
    }
  }
  const writers = to.map((sink) => {
    const writer = sink.createWriteStream(archiveKey(archive.id), { signal })
    writer.on('error', (error) => failed.set(sink, error))
    return writer
  })
  try {
    await pipeline(bytes, tee(writers, { names: to.map(({ name }) => name), onResult }), { signal })
  } catch (error) {
    signal?.throwIfAborted()
    if (reading) throw reading
    for (const sink of to) if (!failed.has(sink)) failed.set(sink, toError(error))
  }
  return { done: to.filter((sink) => !failed.has(sink)), failed }
}
