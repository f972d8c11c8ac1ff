import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Tagged, tagged } from './api-error.ts'
import type { Blob } from './blob.ts'

export interface StoredFile {
  readonly tag: 'file'
  readonly id: string
  readonly path: string
  readonly rev: string
  readonly modified: Date
  readonly clientModified: string | undefined
  readonly blob: Blob
}

interface StoredFolder {
  readonly tag: 'folder'
  readonly id: string
  readonly path: string
}

export type Stored = StoredFile | StoredFolder

export interface Commit {
  readonly path: string
  readonly mode: { readonly tag: string; readonly value?: string }
  readonly autorename: boolean
  readonly strict_conflict: boolean
  readonly client_modified: string | undefined
}

/** An error of a union of the routes; which union's member it becomes is the route's matter. */
export class Refused extends Error {
  readonly error: Tagged
  readonly status: 409 | 429

  constructor(error: Tagged, status: 409 | 429 = 409) {
    super(error['.tag'])
    this.error = error
    this.status = status
  }
}

const MALFORMED = tagged('malformed_path')
const DISALLOWED_NAMES = new Set([
  'desktop.ini',
  'thumbs.db',
  '.ds_store',
  'icon\r',
  '.dropbox',
  '.dropbox.attr',
])

/** What an account without a quota says that it has. */
const UNLIMITED_BYTES = 2 ** 41

export interface AccountOptions {
  readonly quotaBytes: number
  /** How long a change of the namespace holds its lock. */
  readonly commitMs: number
  /** What who comes meanwhile is reported. */
  readonly contentionStatus: 409 | 429
}

/** An app folder: the one namespace that the app sees. Names differ by more than case. */
export class Account {
  readonly #options: AccountOptions
  readonly #stored = new Map<string, Stored>()
  /** Lower-case paths in the order of their changes. */
  readonly #changes: string[] = []
  #usedBytes = 0
  #revision = 0x5a1c0_0000
  #locked = false
  /** How often somebody came while another held the lock. */
  contended = 0

  constructor(options: AccountOptions) {
    this.#options = options
  }

  /** How many changes there were so far. */
  get changeCount(): number {
    return this.#changes.length
  }

  get files(): readonly StoredFile[] {
    return [...this.#stored.values()].filter((stored) => stored.tag === 'file')
  }

  /** @see https://github.com/dropbox/dropbox-api-spec, users.stone: SpaceUsage */
  get spaceUsage(): object {
    const { quotaBytes } = this.#options
    const allocated = Number.isFinite(quotaBytes) ? quotaBytes : UNLIMITED_BYTES
    return { used: this.#usedBytes, allocation: { '.tag': 'individual', allocated } }
  }

  changesSince(count: number): readonly string[] {
    return [...new Set(this.#changes.slice(count))]
  }

  find(path: string): Stored | undefined {
    return this.#stored.get(path.toLowerCase())
  }

  /** @throws Refused `LookupError` */
  lookUp(path: string): Stored {
    check(path, () => new Refused(MALFORMED))
    const found = this.find(path)
    if (!found) throw new Refused(tagged('not_found'))
    return found
  }

  /** All that is at and below a path; '' is the root. */
  below(path: string): readonly Stored[] {
    const lower = path.toLowerCase()
    return [...this.#stored].flatMap(([at, stored]) => (isWithin(lower, at) ? [stored] : []))
  }

  /**
   * Changes the namespace with its lock held. Dropbox gives up after some waiting; this gives up at once.
   * @throws Refused `too_many_write_operations`
   */
  async locked<T>(change: () => T, ms: number = this.#options.commitMs): Promise<T> {
    if (this.#locked) {
      this.contended++
      throw new Refused(tagged('too_many_write_operations'), this.#options.contentionStatus)
    }
    this.#locked = true
    try {
      await sleep(ms)
      return change()
    } finally {
      this.#locked = false
    }
  }

  /** Within `locked`. @throws Refused `WriteError` */
  commit(commit: Commit, blob: Blob): StoredFile {
    check(commit.path, () => new Refused(MALFORMED))
    const name = nameOf(commit.path).toLowerCase()
    if (DISALLOWED_NAMES.has(name)) throw new Refused(tagged('disallowed_name'))
    const path = this.#freePath(commit, blob)
    if (typeof path !== 'string') return path
    this.#checkAncestors(path)
    const old = this.find(path)
    const growth = blob.size - (old?.tag === 'file' ? old.blob.size : 0)
    if (this.#usedBytes + growth > this.#options.quotaBytes) throw new Refused(tagged('insufficient_space'))
    this.#makeFolders(path)
    const file: StoredFile = {
      tag: 'file',
      id: old?.id ?? newId(),
      path,
      rev: (++this.#revision).toString(16),
      modified: new Date(),
      clientModified: commit.client_modified,
      blob,
    }
    this.#set(path, file)
    this.#usedBytes += growth
    if (old?.tag === 'file') old.blob.discard()
    return file
  }

  /** Within `locked`: a file, or a folder with all that is in it. @throws Refused `DeleteError` */
  delete(path: string, parentRev: string | undefined): Stored {
    check(path, () => new Refused(tagged('path_lookup', MALFORMED)))
    const found = this.find(path)
    if (!found) throw new Refused(tagged('path_lookup', tagged('not_found')))
    if (parentRev !== undefined) {
      if (found.tag === 'folder') throw new Refused(tagged('path_lookup', tagged('not_file')))
      if (found.rev !== parentRev) throw new Refused(tagged('path_write', tagged('conflict', tagged('file'))))
    }
    for (const stored of found.tag === 'file' ? [found] : this.below(path)) {
      this.#set(stored.path, undefined)
      if (stored.tag === 'file') {
        this.#usedBytes -= stored.blob.size
        stored.blob.discard()
      }
    }
    return found
  }

  /** Where it is to be written; or the file that it is already. */
  #freePath(commit: Commit, blob: Blob): string | StoredFile {
    const { path, mode, autorename, strict_conflict: strict } = commit
    const old = this.find(path)
    if (!old && !(strict && mode.tag === 'update')) return path
    if (old?.tag === 'file') {
      const same = old.blob.size === blob.size && old.blob.hash === blob.hash
      if (same && (mode.tag === 'overwrite' || !strict)) return old
      if (mode.tag === 'overwrite' || (mode.tag === 'update' && mode.value === old.rev)) return path
    }
    if (!autorename) throw new Refused(tagged('conflict', tagged(old?.tag ?? 'file')))
    const [, stem = '', extension = ''] = /^(.*?)(\.[^./]*)?$/.exec(path) ?? []
    for (let i = mode.tag === 'update' ? 1 : 2; ; i++) {
      const copy = mode.tag === 'update' ? `conflicted copy${i > 1 ? ` ${i}` : ''}` : i
      const renamed = `${stem} (${copy})${extension}`
      if (!this.find(renamed)) return renamed
    }
  }

  #checkAncestors(path: string): void {
    for (const folder of ancestorsOf(path)) {
      if (this.find(folder)?.tag === 'file') throw new Refused(tagged('conflict', tagged('file_ancestor')))
    }
  }

  #makeFolders(path: string): void {
    for (const folder of ancestorsOf(path)) {
      if (!this.find(folder)) this.#set(folder, { tag: 'folder', id: newId(), path: folder })
    }
  }

  #set(path: string, stored: Stored | undefined): void {
    const lower = path.toLowerCase()
    if (stored) this.#stored.set(lower, stored)
    else this.#stored.delete(lower)
    this.#changes.push(lower)
  }
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Both in lower case. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function* ancestorsOf(path: string): Generator<string> {
  for (let at = path.indexOf('/', 1); at !== -1; at = path.indexOf('/', at + 1)) yield path.slice(0, at)
}

/** Paths by id, revision or namespace are not modelled. https://www.dropbox.com/developers/documentation/http/documentation#path-formats */
function check(path: string, refused: () => Refused): void {
  const names = path.split('/').slice(1)
  const bad = (name: string) =>
    name === '' || name === '.' || name === '..' || name.length > 255 || /[\\\0]|\s$/.test(name)
  if (!path.startsWith('/') || names.some(bad)) throw refused()
}

function newId(): string {
  return `id:${randomBytes(16).toString('base64url')}`
}
