import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { SourceError } from '@pipe-backup/source'
import type { CopyEnd, CopyStart } from './copy-messages.ts'
import { toFailure } from './sqlite-failure.ts'

/** How long others may keep a database locked before it can't be read, in milliseconds. */
export const LOCK_MS = 60_000

/** SQLite's memory is its own, and bounded; V8 would let the thread's grow with the machine's. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 64 }

/**
 * Copies a database as it is at one moment into a file without a name, in the directory for temporary files.
 * @param database - absolute path
 * @returns the copy, open; it is gone when it is closed
 * @throws SourceError `command-failed`; the signal's reason
 */
export async function copyDatabase(
  database: string,
  lockMs: number,
  signal: AbortSignal | undefined,
): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), 'pipe-backup-'))
  try {
    const [copy, decoy] = [join(directory, 'copy'), join(directory, 'decoy')]
    const handle = await open(copy, 'wx+', 0o600)
    try {
      await writeFile(decoy, '')
      const isStopped = new Int32Array(new SharedArrayBuffer(4))
      const end = await runThread({ database, copy, decoy, lockMs, isStopped }, signal)
      if (!('bytes' in end)) throw toFailure(database, end)
      // An empty file is a database too, whose copy has the page that it lacks.
      if (end.bytes > 0 && (await handle.stat()).size !== end.bytes)
        throw new SourceError('command-failed', `the copy of ${database} has not the size of the database`, {
          hint: 'Please report it.',
        })
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** A thread of its own, as SQLite's calls wait for locks and disks. One that is stopped ends by itself, and is not waited for. */
async function runThread(start: CopyStart, signal: AbortSignal | undefined): Promise<CopyEnd> {
  // From source the worker needs the condition that finds the other packages' sources; built code does not.
  const fromSource = import.meta.url.endsWith('.ts')
  const compileCache = process.env['NODE_COMPILE_CACHE']
  const thread = new Worker(new URL(fromSource ? './copy-worker.ts' : './copy-worker.js', import.meta.url), {
    workerData: start,
    execArgv: fromSource ? ['--conditions=pipe-backup-src', '--disable-warning=ExperimentalWarning'] : [],
    stdin: false,
    // Of the environment, where secrets may be, it gets what starts it faster.
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
    resourceLimits: THREAD_LIMITS,
  })
  const { promise, resolve, reject } = Promise.withResolvers<CopyEnd>()
  const stop = (): void => {
    Atomics.store(start.isStopped, 0, 1)
    Atomics.notify(start.isStopped, 0)
    thread.unref()
    reject(signal?.reason)
  }
  thread.once('message', resolve).once('error', reject)
  thread.once('exit', () => reject(new Error('the copying thread ended without a word')))
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
