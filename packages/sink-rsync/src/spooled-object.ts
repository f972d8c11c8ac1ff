import { mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SinkOptions, UploadBody } from '@pipe-backup/sink'
import type { MemorySpool } from './memory-spool.ts'

/** An object in the spool, in a directory of its own: `7/packs/ab/abcd`. */
export interface SpooledObject extends AsyncDisposable {
  readonly key: string
  /** Its name for rsync's `--files-from`: what follows `/./` is the name on the other side. */
  readonly source: string
  readonly sizeBytes: number
  /** How fast the bytes were let in, in bytes a second; infinite when nobody held them back. */
  readonly pace: number
}

/** Waiting shorter than this says nothing about a rate. */
const PACED_MS = 100

/** Writes an object into the spool, when there is room for it. @throws SinkError `too-large`; the signal's reason */
export async function spoolObject(
  spool: MemorySpool,
  key: string,
  body: UploadBody,
  { onBytes, signal }: SinkOptions,
): Promise<SpooledObject> {
  await using undo = new AsyncDisposableStack()
  const share = undo.use(spool.up.open())
  // At once: puts that wait for more while they hold something would wait for each other.
  if (body.bytes) await spool.up.take(share, body.bytes.length, signal)
  const directory = spool.newDirectory()
  undo.defer(() => spool.remove(directory))
  const path = join(spool.path, directory, key)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  await using file = await open(path, 'wx', 0o600)
  const beganAt = performance.now()
  let sizeBytes = 0
  let heldBackMs = 0
  for await (const piece of body.unwatched()) {
    if (!body.bytes) await spool.up.take(share, piece.length, signal)
    const from = performance.now()
    await onBytes?.(piece.length)
    heldBackMs += performance.now() - from
    signal?.throwIfAborted()
    await file.appendFile(piece)
    sizeBytes += piece.length
  }
  const isPaced = heldBackMs >= Math.max(PACED_MS, (performance.now() - beganAt) / 2)
  const kept = undo.move()
  return {
    key,
    source: `${directory}/./${key}`,
    sizeBytes,
    pace: isPaced ? (sizeBytes / heldBackMs) * 1000 : Number.POSITIVE_INFINITY,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
