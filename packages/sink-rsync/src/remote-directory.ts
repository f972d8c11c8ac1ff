import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type ObjectInfo, SinkError, toError } from '@pipe-backup/sink'
import { AS_LIST, below, meansAbsent, parseListed, rulesFor } from './listing.ts'
import type { MemorySpool } from './memory-spool.ts'
import { spoolError, toSinkError } from './rsync-errors.ts'
import type { RsyncServer } from './rsync-server.ts'
import { ProgramFailure } from './run-program.ts'
import { type Batch, type Upload, UploadQueue } from './upload-queue.ts'

/** An object that rsync has brought and checked, in the spool. */
export interface PulledObject {
  readonly file: FileHandle
  readonly sizeBytes: number
}

type Signal = AbortSignal | undefined
type OnLine = (line: string) => void

/** Names are sent, not directories above them: one that the server has as a link stays one. */
const BY_NAME = ['--files-from=-', '--no-implied-dirs', '--out-format=%i %n']
/** Of all of a file, whatever is on the other side. */
const WHOLE = ['--whole-file', '--ignore-times']
const BY_RULES = ['--include-from=-', '--exclude=*', '--out-format=%i %n']
const ONE_FILE = ['--no-implied-dirs', '--no-dirs', '--ignore-missing-args']
/** What was let in slowly goes out a little faster, or it would never catch up. */
const CATCH_UP = 1.25
const EMPTY = 'empty'
/** For each file that it meets rsync goes through all rules. */
const DELETED_AT_ONCE = 1000
/** Room that is taken before the size is known: a pack and more. */
const GUESS_BYTES = 32 * 1024 * 1024

/**
 * What is done with the objects of a server's directory, each by one rsync.
 * All of it throws ProgramFailure, SinkError, and the signal's reason.
 */
export class RemoteDirectory implements AsyncDisposable {
  readonly spool: MemorySpool
  readonly queue: UploadQueue = new UploadQueue((batch) => this.send(batch))
  readonly #server: RsyncServer

  constructor(spool: MemorySpool, server: RsyncServer) {
    this.spool = spool
    this.#server = server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
    await this.spool[Symbol.asyncDispose]()
  }

  /**
   * Sends objects. Each is written under a temporary name, checked as a whole by rsync's own checksum (xxHash, or MD5 with servers
   * before 3.2), synced where the server can, and renamed. Modes are the user's alone; times are the server's.
   * @returns the keys of those that were stored: what has an object already, and may not be replaced, is left out
   */
  async send({ uploads, signal }: Batch): Promise<ReadonlySet<string>> {
    const stored = new Set<string>()
    const isGentle = uploads.some(({ ifAbsent }) => ifAbsent)
    const bytesPerSecond = uploads.reduce((sum, { pace }) => sum + pace, 0)
    // It counts in KiB, and 0 would mean no limit.
    const limit = Math.max(1, Math.round((bytesPerSecond * CATCH_UP) / 1024))
    const options = [
      ...WHOLE,
      '--info=progress2',
      ...(isGentle ? ['--ignore-existing'] : []),
      ...(Number.isFinite(limit) ? [`--bwlimit=${limit}`] : []),
    ]
    await this.#push(uploads, signal, options, (line) => {
      const [, key] = /^<f\S* (.*)$/.exec(line) ?? []
      if (key !== undefined) stored.add(key)
    })
    return stored
  }

  /**
   * Whether the server's object has the bytes that were to be sent, by its own checksum of them: where reading is forbidden there is no
   * other way to know.
   */
  async isSame(upload: Upload): Promise<boolean> {
    const { key, signal } = upload
    let isSame = false
    // Twice -i, for what is equal is left out otherwise; a server that replaces nothing says it by its own word.
    const options = ['--dry-run', '--checksum', '-ii', '--info=skip2']
    await this.#push([upload], signal, options, (line) => {
      isSame ||= line === `${key} exists (uptodate)` || (line.startsWith('.f') && line.endsWith(` ${key}`))
    })
    return isSame
  }

  /** Which of these objects there are. */
  async find(keys: readonly string[], signal: Signal): Promise<ReadonlyMap<string, ObjectInfo>> {
    const wanted = new Set(keys)
    const found = new Map<string, ObjectInfo>()
    const onLine = (line: string): void => {
      const info = parseListed(line)
      if (info && wanted.has(info.key)) found.set(info.key, info)
    }
    const options = [...AS_LIST, '--no-implied-dirs', '--ignore-missing-args']
    try {
      await this.#server.run({ direction: 'pull', local: '.', options, keys, signal, onLine })
    } catch (error) {
      if (!meansAbsent(error)) throw error
    }
    return found
  }

  /**
   * Every object below a prefix, as rsync shows them. It is never held up: while a listing hangs, a server that allows one rsync at a
   * time would allow nothing else.
   */
  async *list(prefix: string, signal: Signal): AsyncGenerator<ObjectInfo> {
    const given = new AbortController()
    const infos = new Readable({ objectMode: true, read: () => undefined })
    const options = [...AS_LIST, '--recursive', ...below(prefix)]
    const ended = signal ? AbortSignal.any([signal, given.signal]) : given.signal
    const onLine = (line: string): void => {
      const info = parseListed(line)
      if (info?.key.startsWith(prefix)) infos.push(info)
    }
    this.#server.run({ direction: 'pull', local: '.', options, signal: ended, onLine }).then(
      () => infos.push(null),
      (cause: unknown) => infos.destroy(toError(cause)),
    )
    try {
      yield* infos as AsyncIterable<ObjectInfo>
    } finally {
      given.abort(new Error('no longer wanted'))
    }
  }

  /**
   * Deletes objects: an empty directory is sent, under rules by which nothing else may be missing from it. Directories that become
   * empty go too. (`--delete-missing-args` would say it in one word, and fails with servers that check what they are sent: Debian's
   * 3.2.7.)
   * @returns those that are still there, and why
   */
  async delete(keys: readonly string[], signal: Signal): Promise<ReadonlyMap<string, SinkError>> {
    const failed = new Map<string, SinkError>()
    await mkdir(join(this.spool.path, EMPTY), { recursive: true })
    for (let at = 0; at < keys.length; at += DELETED_AT_ONCE) {
      const left = new Set(keys.slice(at, at + DELETED_AT_ONCE))
      const rules = rulesFor(left)
      // Whatever becomes of the rules, no more can go than they name.
      const options = ['--recursive', '--delete', `--max-delete=${rules.length}`, ...BY_RULES]
      const input = rules.map((rule) => `${rule}\0`).join('')
      const onLine = (line: string) => left.delete(/^\*deleting +(.*)$/.exec(line)?.[1] ?? '')
      try {
        await this.#server.run({ direction: 'push', local: `${EMPTY}/`, options, input, onLine, signal })
      } catch (cause) {
        signal?.throwIfAborted()
        // Where it can't be asked, none is known to be gone.
        const there = await this.find([...left], signal).catch(() => left)
        signal?.throwIfAborted()
        for (const key of left) {
          const error = toSinkError(cause, this.spool.sink, key)
          if (!(error instanceof SinkError)) throw error
          if (there.has(key)) failed.set(key, error)
        }
      }
    }
    return failed
  }

  /**
   * Brings an object: all of it, for rsync knows no ranges.
   * @param undo - removes it
   * @param maxBytes - it is `corrupt` when it has more
   */
  async pull(
    undo: AsyncDisposableStack,
    key: string,
    maxBytes: number | undefined,
    signal: Signal,
  ): Promise<PulledObject> {
    const { down, sink, path } = this.spool
    const limit = Math.min(Math.max(1, maxBytes ?? Number.POSITIVE_INFINITY), down.totalBytes)
    for (const most of new Set([Math.min(GUESS_BYTES, limit), limit])) {
      await using mine = new AsyncDisposableStack()
      const { name, share } = await this.spool.take(mine, down, most, signal)
      let isTooLarge = false
      const onLine = (line: string): void => {
        isTooLarge ||= line.endsWith('is over max-size')
      }
      const options = [...WHOLE, ...ONE_FILE, `--max-size=${most}`, '--info=skip1,progress2']
      try {
        await this.#server.run({ direction: 'pull', local: name, options, keys: [key], signal, onLine })
      } catch (cause) {
        // It is this side that writes here.
        if (cause instanceof ProgramFailure && /No space left on device/.test(cause.said))
          throw spoolError('ENOSPC', { sink, key, cause })
        if (!meansAbsent(cause)) throw cause
      }
      if (isTooLarge) continue
      const file = await open(join(path, name, key), 'r').catch((cause: unknown) => {
        throw new SinkError('not-found', 'is not there', { sink, key, cause })
      })
      mine.use(file)
      const { size: sizeBytes } = await file.stat()
      share.shrinkTo(sizeBytes)
      undo.use(mine.move())
      return { file, sizeBytes }
    }
    if (limit !== maxBytes) throw down.tooLarge(limit + 1)
    throw new SinkError('corrupt', `has more bytes than it can have: ${maxBytes}`, { sink, key })
  }

  #push(uploads: readonly Upload[], signal: Signal, options: string[], onLine: OnLine): Promise<void> {
    const input = uploads.map(({ source }) => `${source}\0`).join('')
    const named = [...BY_NAME, ...options]
    return this.#server.run({ direction: 'push', local: '.', options: named, input, signal, onLine })
  }
}
