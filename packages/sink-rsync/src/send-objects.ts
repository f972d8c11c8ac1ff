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
): Promise<ReadonlySet<string>> {
  const stored = new Set<string>()
  // It counts in KiB, and 0 would mean no limit.
  const limit = Math.max(1, Math.round((bytesPerSecond * CATCH_UP) / 1024))
  await server.run({
    direction: 'push',
    local: '.',
    options: [
      ...BY_NAME,
      '--whole-file',
      '--ignore-times',
      ...(ifAbsent ? ['--ignore-existing'] : []),
      ...(Number.isFinite(limit) ? [`--bwlimit=${limit}`] : []),
      '--info=progress2',
      '--out-format=%i %n',
    ],
    input: namesOf(uploads),
    signal,
    onLine: (line) => {
      const [, key] = /^<f\S* (.*)$/.exec(line) ?? []
      if (key !== undefined) stored.add(key)
    },
  })
  return stored
}

/**
 * Whether the server's object has the bytes that were to be sent, by its own checksum of them: where reading is forbidden there is no
 * other way to know.
 * @throws ProgramFailure; SinkError; the signal's reason
 */
export async function isSameObject(server: RsyncServer, upload: Upload): Promise<boolean> {
  const { key, signal } = upload
  let isSame = false
  await server.run({
    direction: 'push',
    local: '.',
    // Twice, for what is equal is left out otherwise; a server that replaces nothing says it by its own word.
    options: [...BY_NAME, '--dry-run', '--checksum', '-ii', '--info=skip2', '--out-format=%i %n'],
    input: namesOf([upload]),
    onLine: (line) => {
      isSame ||= line === `${key} exists (uptodate)` || (line.startsWith('.f') && line.endsWith(` ${key}`))
    },
    signal,
  })
  return isSame
}

function namesOf(uploads: readonly Upload[]): string {
  return uploads.map(({ source }) => `${source}\0`).join('')
}
