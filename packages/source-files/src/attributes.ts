import { isUtf8 } from 'node:buffer'
import type { BigIntStats } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import {
  type Attribute,
  attributesFlaw,
  isKeptAttribute,
  type ReadContext,
  sortAttributes,
} from '@pipe-backup/source'
import { type Failure, isSystemError, report, toFailure } from './failure.ts'
import { type FileCalls, within } from './file-calls.ts'
import { isLongPath } from './long-path.ts'
import { type Steps, wait } from './steps.ts'
import { withTextPath } from './text-path.ts'

type Library = Pick<
  typeof import('@napi-rs/xattr'),
  'getAttribute' | 'getAttributeSync' | 'listAttributes' | 'listAttributesSync'
>

const ACT = 'its extended attributes were not read'

/** What was found: the attributes, or why they could not be had. */
export interface FoundAttributes {
  readonly attributes: readonly Attribute[] | undefined
  readonly failure?: Failure | undefined
}

const NONE: FoundAttributes = { attributes: undefined }

/** Reads extended attributes by paths, never through a symbolic link at their end. One for each walk. */
export class AttributeReader {
  readonly #library: Library | undefined
  readonly #loadFailure: string | undefined
  /** Devices of file systems that have none: nothing else there is asked. */
  readonly #without = new Set<bigint>()
  #unnamed = 0
  #firstUnnamed: Uint8Array | undefined

  readonly #signal: AbortSignal | undefined

  private constructor(signal: AbortSignal | undefined, library: Library | undefined, loadFailure?: string) {
    this.#signal = signal
    this.#library = library
    this.#loadFailure = loadFailure
  }

  /** The library has a binary for each machine: where it has none for this one, files are taken without attributes. */
  static async load(signal: AbortSignal | undefined): Promise<AttributeReader> {
    try {
      return new AttributeReader(signal, await import('@napi-rs/xattr'))
    } catch (cause) {
      return new AttributeReader(
        signal,
        undefined,
        cause instanceof Error ? cause.message.split('\n')[0] : '',
      )
    }
  }

  /**
   * The attributes of what is at a path now.
   * @param stat - of it
   * @throws system errors that concern more than its attributes: it is gone
   */
  *read(absolute: Buffer, stat: BigIntStats, calls: FileCalls): Steps<FoundAttributes> {
    const library = this.#library
    if (library === undefined || this.#without.has(stat.dev)) return NONE
    try {
      // What has no text of its own is asked at once, also of what is not local: it has answered just now.
      const attributes =
        calls.isLocal || isLongPath(absolute) || !isUtf8(absolute)
          ? withTextPath(absolute, stat.isDirectory(), (path) => readAll(library, path))
          : yield* wait(within(this.#signal, () => readAllLater(library, absolute.toString())))
      if (attributes === undefined) {
        this.#unnamed++
        this.#firstUnnamed ??= absolute.subarray(1)
        return NONE
      }
      const flaw = attributesFlaw(attributes)
      if (flaw !== undefined) return failed({ code: 'unreadable', message: `${ACT}: it has ${flaw}` })
      return attributes.length === 0 ? NONE : { attributes }
    } catch (cause) {
      this.#signal?.throwIfAborted()
      const error = toSystemError(cause)
      if (!isSystemError(error))
        return failed({ code: 'unreadable', message: `${ACT}: one has a name that is not UTF-8`, cause })
      if (error.code === 'ENOTSUP' || error.code === 'EOPNOTSUPP') {
        this.#without.add(stat.dev)
        return NONE
      }
      const failure = toFailure(error, ACT)
      if (failure.code === 'vanished') throw error
      return failed(failure)
    }
  }

  /**
   * As `read`, for a file that is open: what was read by its path belongs to it only if the path still leads to it.
   * @param stat - of the open file
   * @returns `undefined` when something else is at the path
   */
  *readOpen(absolute: Buffer, stat: BigIntStats, calls: FileCalls): Steps<FoundAttributes | undefined> {
    const found = yield* this.read(absolute, stat, calls)
    if (this.#library === undefined || this.#without.has(stat.dev)) return found
    const now = yield* wait(calls.lstat(absolute))
    return now.ino === stat.ino && now.dev === stat.dev ? found : undefined
  }

  /** Reports, once, what could not be asked at all. */
  finish(onProblem: ReadContext['onProblem']): void {
    if (onProblem === undefined) return
    if (this.#loadFailure !== undefined)
      report(
        {
          code: 'skipped',
          message: `extended attributes were not read, as @napi-rs/xattr does not load: ${this.#loadFailure}`,
        },
        new Uint8Array(),
        onProblem,
      )
    if (this.#firstUnnamed !== undefined)
      report(
        {
          code: 'skipped',
          message: `extended attributes were not read of ${this.#unnamed} whose names are not UTF-8, this the first`,
        },
        this.#firstUnnamed,
        onProblem,
      )
  }
}

function failed(failure: Failure): FoundAttributes {
  return { attributes: undefined, failure }
}

function readAll(library: Library, path: string): readonly Attribute[] {
  const attributes: Attribute[] = []
  for (const name of library.listAttributesSync(path)) {
    if (!isKeptAttribute(name)) continue
    const value = library.getAttributeSync(path, name)
    // Removed since it was listed: its file's change time says so too.
    if (value !== null) attributes.push({ name: Buffer.from(name), value })
  }
  return attributes.length > 1 ? sortAttributes(attributes) : attributes
}

async function readAllLater(library: Library, path: string): Promise<readonly Attribute[]> {
  const attributes: Attribute[] = []
  for (const name of await library.listAttributes(path)) {
    if (!isKeptAttribute(name)) continue
    const value = await library.getAttribute(path, name)
    if (value !== null) attributes.push({ name: Buffer.from(name), value })
  }
  return attributes.length > 1 ? sortAttributes(attributes) : attributes
}

/** The library gives the number of a system error in its message alone. */
function toSystemError(cause: unknown): unknown {
  if (!(cause instanceof Error) || isSystemError(cause)) return cause
  const errno = -Number(/\(os error (\d+)\)$/.exec(cause.message)?.[1] ?? 0)
  if (errno === 0) return cause
  return Object.assign(new Error(cause.message, { cause }), { errno, code: getSystemErrorName(errno) })
}
