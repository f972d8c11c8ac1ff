import {
  type BigIntStats,
  chmodSync,
  chownSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs'
import { resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  ACCESS_ACL,
  type Entry,
  type EntryMetadata,
  SourceError,
  type SourceProblem,
} from '@pipe-backup/source'
import { modeWithout } from './access-acl.ts'
import { AttributeWriter } from './attributes.ts'
import { makeNode } from './make-nodes.ts'
import { Owners } from './owners.ts'
import { safeComponents } from './safe-path.ts'
import { TargetDirectory } from './target-directory.ts'
import { toTime, writeFile } from './write-file.ts'

export interface ExtractOptions {
  readonly signal?: AbortSignal
  /** Restore owners, set-id bits, file capabilities and `trusted.*` attributes. Default: when run as root. */
  readonly ownership?: boolean
  /**
   * Told of each entry that could not be written, and at the end, in a line for each reason, of attributes that could not be set; the rest goes on.
   * Without it the first one is thrown.
   */
  readonly onProblem?: (problem: SourceProblem) => void
  readonly onProgress?: (entries: number, bytes: number) => void
}

export interface ExtractReport {
  readonly entries: number
  readonly bytes: number
  readonly problems: number
}

/** Other things want their turn on the main thread at least so often. */
const SLICE_MS = 10
const MEMORY_BYTES = 1024 * 1024
const CLOCK_SLACK_MS = 60_000
/** These end everything: the next entry would fail the same way. */
const FATAL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/**
 * Writes entries into a directory, which is made when it is missing, and nothing outside it, whatever their paths and links say. What is there
 * already under an entry's name is replaced, except directories, which stay, with what else is in them.
 * @throws SourceError, or the system's error when the disk is full or broken; the abort's reason
 */
export async function extract(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  directory: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  return new Extraction(directory, options).run(entries)
}

class Extraction {
  readonly #options: ExtractOptions
  readonly #target: TargetDirectory
  readonly #ownership: boolean
  readonly #owners = new Owners()
  #attributes: AttributeWriter | undefined
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES)
  /** Directories whose metadata is set when all that is in them has been written, outermost first. */
  readonly #open: { components: Buffer[]; close: (path: Buffer) => void }[] = []
  /** In nanoseconds since the epoch; earlier by what the clock of a file server may be behind. */
  readonly #startedNs = BigInt(Date.now() - CLOCK_SLACK_MS) * 1_000_000n
  #entries = 0
  #bytes = 0
  #problems = 0

  constructor(directory: string, options: ExtractOptions) {
    this.#options = options
    this.#ownership = options.ownership ?? process.geteuid?.() === 0
    this.#target = new TargetDirectory(resolve(directory), (components, info) =>
      this.#reopen(components, info),
    )
    mkdirSync(directory, { recursive: true })
  }

  async run(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<ExtractReport> {
    this.#attributes = await AttributeWriter.load(this.#ownership)
    let sliceStart = performance.now()
    for await (const entry of entries) {
      this.#options.signal?.throwIfAborted()
      await this.#attempt(entry)
      if (performance.now() - sliceStart > SLICE_MS) {
        this.#options.onProgress?.(this.#entries, this.#bytes)
        await nextTurn()
        sliceStart = performance.now()
      }
    }
    this.#closeDirectories([])
    for (const problem of this.#attributes.problems()) this.#report(problem)
    this.#options.onProgress?.(this.#entries, this.#bytes)
    return { entries: this.#entries, bytes: this.#bytes, problems: this.#problems }
  }

  async #attempt(entry: Entry): Promise<void> {
    try {
      const components = safeComponents(entry.path)
      this.#closeDirectories(components)
      this.#target.ensureParents(components)
      await this.#write(entry, components)
      this.#entries++
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (FATAL.has(code) || !this.#options.onProblem) throw error
      const message = error instanceof Error ? error.message : String(error)
      this.#report({ code: 'unreadable', path: Buffer.from(entry.path).toString(), message })
    }
  }

  #report(problem: SourceProblem): void {
    const { onProblem } = this.#options
    if (!onProblem)
      throw new SourceError(problem.code, `${problem.path}: ${problem.message}`, { path: problem.path })
    this.#problems++
    onProblem(problem)
  }

  async #write(entry: Entry, components: Buffer[]): Promise<void> {
    const path = this.#target.pathOf(components)
    if (entry.type === 'directory') {
      const kind = this.#makeDirectory(path)
      this.#open.push({ components, close: (made) => this.#setMetadata(made, entry, kind) })
      return
    }
    this.#clear(path)
    switch (entry.type) {
      case 'file':
        this.#bytes += await writeFile(
          path,
          entry,
          (file) => this.#setFileMetadata(file, path, entry),
          this.#memory,
          this.#options.signal,
        )
        return
      case 'symlink':
        symlinkSync(Buffer.from(entry.target), path)
        if (this.#ownership) lchownSync(path, this.#owners.uid(entry), this.#owners.gid(entry))
        this.#attributes?.set(path, entry, 'made')
        lutimesSync(path, toTime(entry.mtimeNs), toTime(entry.mtimeNs))
        return
      case 'hardlink':
        this.#link(entry.linkTo, path)
        return
      case 'fifo':
        await makeNode(path, ['mkfifo'])
        break
      case 'character-device':
      case 'block-device':
        await makeNode(path, [
          'mknod',
          entry.type === 'block-device' ? 'b' : 'c',
          String(entry.major),
          String(entry.minor),
        ])
        break
    }
    this.#setMetadata(path, entry, 'made')
  }

  #makeDirectory(path: Buffer): 'made' | 'kept' {
    const info = lstatSync(path, { throwIfNoEntry: false, bigint: true })
    if (info?.isDirectory()) {
      this.#makeWritable(path, info)
      return 'kept'
    }
    if (info) unlinkSync(path)
    // Nobody else looks in before its own mode is set, after its contents.
    mkdirSync(path, { mode: 0o700 })
    return 'made'
  }

  /**
   * For a directory that is come back to after others, as in archives of bsdtar, which has files before directories: what it has got in the
   * meantime is set again when it is left. Known by the time of its last change, for nothing has to be remembered for that. One that was
   * changed by somebody else just before keeps its times too, which does no harm.
   */
  #reopen(components: Buffer[], info: BigIntStats): void {
    if (info.ctimeNs < this.#startedNs || this.#open.some((open) => samePath(open.components, components)))
      return
    this.#makeWritable(this.#target.pathOf(components), info)
    this.#open.push({
      components,
      close: (path) => {
        chmodSync(path, Number(info.mode & 0o7777n))
        utimesSync(path, toTime(info.atimeNs), toTime(info.mtimeNs))
      },
    })
  }

  /** A directory that this extraction has made may have got a mode by now that lets nobody write in it. */
  #makeWritable(path: Buffer, info: BigIntStats): void {
    if (info.birthtimeNs >= this.#startedNs && (info.mode & 0o700n) !== 0o700n)
      chmodSync(path, Number(info.mode & 0o7777n) | 0o700)
  }

  /** Removes what is in the way. A directory is not: what is in it was not asked about. */
  #clear(path: Buffer): void {
    const info = lstatSync(path, { throwIfNoEntry: false })
    if (!info) return
    if (info.isDirectory())
      throw new SourceError('unreadable', 'was not written: there is a directory of this name')
    unlinkSync(path)
  }

  #link(linkTo: Uint8Array, path: Buffer): void {
    const components = safeComponents(linkTo)
    const target = this.#target.pathOf(components)
    const real =
      this.#target.parentsAreReal(components) && lstatSync(target, { throwIfNoEntry: false })?.isFile()
    if (!real)
      throw new SourceError('vanished', `was not linked: ${Buffer.from(linkTo).toString()} is not there`)
    linkSync(target, path)
  }

  /** Sets the metadata of the directories that the walk has left. */
  #closeDirectories(next: readonly Buffer[]): void {
    for (let last = this.#open.at(-1); last; last = this.#open.at(-1)) {
      const { components, close } = last
      if (components.length < next.length && samePath(components, next.slice(0, components.length))) return
      this.#open.pop()
      close(this.#target.pathOf(components))
    }
  }

  /** In this order: chown takes set-id bits and capabilities away, and a mode set before its control list would let the group in. */
  #setMetadata(path: Buffer, entry: Entry, kind: 'made' | 'kept'): void {
    if (this.#ownership) chownSync(path, this.#owners.uid(entry), this.#owners.gid(entry))
    chmodSync(path, this.#setAttributes(path, entry, kind))
    utimesSync(path, toTime(entry.mtimeNs), toTime(entry.mtimeNs))
  }

  /** As `#setMetadata`, through the file that is open, as far as that can be done. */
  #setFileMetadata(file: number, path: Buffer, entry: Entry): void {
    if (this.#ownership) fchownSync(file, this.#owners.uid(entry), this.#owners.gid(entry))
    fchmodSync(file, this.#setAttributes(path, entry, 'made'))
    futimesSync(file, toTime(entry.mtimeNs), toTime(entry.mtimeNs))
  }

  /** @returns the mode that is to be set then */
  #setAttributes(path: Buffer, entry: Entry, kind: 'made' | 'kept'): number {
    const mode = this.#mode(entry)
    if (this.#attributes?.set(path, entry, kind) !== false) return mode
    const list = entry.attributes?.find(({ name }) => Buffer.from(name).toString() === ACCESS_ACL)
    return list ? modeWithout(list.value, mode) : mode
  }

  /** Without the owner, a set-id bit would lend out the rights of whoever restores. */
  #mode(entry: EntryMetadata): number {
    return this.#ownership ? entry.mode : entry.mode & 0o1777
  }
}

function samePath(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((component, i) => component.equals(b[i] ?? Buffer.alloc(0)))
}
