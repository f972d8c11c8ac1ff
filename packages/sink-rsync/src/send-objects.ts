import { readFile } from 'node:fs/promises'
import { checkPublished, SinkError } from '@pipe-backup/sink'
import { type Watch, whatIsThere } from './listing.ts'
import type { MemorySpool } from './memory-spool.ts'
import { PulledObject } from './pulled-object.ts'
import { toSinkError } from './rsync-errors.ts'
import type { RsyncServer } from './rsync-server.ts'
import type { Batch, Upload } from './upload-queue.ts'

/** Names are sent, not directories above them: one that the server has as a link stays one. */
const BY_NAME = ['--files-from=-', '--no-implied-dirs']
/** What was let in slowly goes out a little faster, or it would never catch up. */
const CATCH_UP = 1.25

/**
 * Sends objects with one rsync. Each is written under a temporary name, checked as a whole by rsync's own checksum (xxHash, or MD5 with
 * servers before 3.2), synced where the server can, and renamed. Modes are the user's alone; times are the server's.
 * @returns the keys of those that were stored: what has an object already, and may not be replaced, is left out
 * @throws ProgramFailure; SinkError; the signal's reason
 */
export async function sendObjects(
  server: RsyncServer,
  { uploads, ifAbsent, bytesPerSecond, signal }: Batch,
  onHeard: () => void,
): Promise<ReadonlySet<string>> {
  const stored = new Set<string>()
  await server.run({
    direction: 'push',
    local: '.',
    options: [
      ...BY_NAME,
      '--whole-file',
      '--ignore-times',
      ...(ifAbsent ? ['--ignore-existing'] : []),
      ...(Number.isFinite(bytesPerSecond) ? [`--bwlimit=${toKibibytes(bytesPerSecond * CATCH_UP)}`] : []),
      '--info=progress2',
      '--out-format=%i %n',
    ],
    input: namesOf(uploads),
    signal,
    onLine: (line) => {
      const [, key] = /^<f\S* (.*)$/.exec(line) ?? []
      if (key !== undefined) stored.add(key)
    },
    onHeard,
  })
  return stored
}

/**
 * Looks whether objects are there that rsync says it has stored: one look for all of them.
 * @throws SinkError `protocol`, `corrupt` for the first that is not; ProgramFailure; the signal's reason
 */
export async function checkStored(
  server: RsyncServer,
  { uploads, signal }: Pick<Batch, 'uploads' | 'signal'>,
  sink: string,
  onHeard: () => void,
): Promise<void> {
  if (uploads.length === 0) return
  const keys = uploads.map(({ key }) => key)
  const there = await whatIsThere(server, keys, { signal, onHeard })
  for (const { key, sizeBytes } of uploads)
    checkPublished({ sink, key, sentBytes: sizeBytes, thereBytes: there.get(key)?.sizeBytes })
}

/** Whether the server's object has the bytes that were to be sent. @throws ProgramFailure; SinkError; the signal's reason */
export async function isSameObject(
  server: RsyncServer,
  spool: MemorySpool,
  upload: Upload,
  path: string,
  watch: Watch,
): Promise<boolean> {
  let verdict: boolean | undefined
  await server.run({
    direction: 'push',
    local: '.',
    options: [
      ...BY_NAME,
      '--dry-run',
      '--checksum',
      // That it is there is said by the server, with what it has found: where reading is forbidden there is no other way to know.
      '--ignore-existing',
      '--info=skip2',
      '--out-format=%i %n',
    ],
    input: namesOf([upload]),
    onLine: (line) => {
      if (line === `${upload.key} exists (uptodate)`) verdict = true
      else if (line.startsWith(`${upload.key} exists (`) || line.startsWith('<f')) verdict = false
    },
    ...watch,
  })
  if (verdict !== undefined) return verdict
  // Servers before 3.2.4, and daemons, don't say it.
  await using pulled = new PulledObject(server, spool, upload.key, watch)
  try {
    const size = await pulled.ended
    return size === upload.sizeBytes && (await pulled.read(0, size)).equals(await readFile(path))
  } catch (cause) {
    const error = toSinkError(cause, spool.sink, upload.key)
    if (error instanceof SinkError && ['forbidden', 'not-found'].includes(error.code)) return false
    throw cause
  }
}

function namesOf(uploads: readonly Upload[]): string {
  return uploads.map(({ source }) => `${source}\0`).join('')
}

/** What `--bwlimit` counts in; 0 would mean no limit. */
function toKibibytes(bytes: number): number {
  return Math.max(1, Math.round(bytes / 1024))
}
