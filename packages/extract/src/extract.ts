import { isUtf8 } from 'node:buffer'
import { type BigIntStats, linkSync, lstatSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Entry, type HardlinkEntry, SourceError, type SourceProblem } from '@pipe-backup/source'
import { makeNode } from './make-nodes.ts'
import { MetadataWriter } from './metadata-writer.ts'
import { OpenDirectories } from './open-directories.ts'
import { safeComponents } from './safe-path.ts'
import { removeLeftOver, stagedName } from './staged-names.ts'
import type { TargetDirectory } from './target-directory.ts'
import { fatalTargetError, makeTarget, messageOf } from './target-errors.ts'
import { isSameTime } from './times.ts'
import { Unfinished } from './unfinished.ts'
import { writeFile } from './write-file.ts'

export interface ExtractOptions {
  readonly signal?: AbortSignal | undefined
  /** Restore owners, set-id bits, file capabilities and `trusted.*` attributes. Default: when run as root. */
  readonly ownership?: boolean | undefined
  /**
   * What becomes of a file that is there already: `always` writes it again, `changed` leaves it when it is a file of the same size and
   * modification time, and sets its other metadata. Default `always`.
   */
  readonly overwrite?: 'always' | 'changed' | undefined
  /**
   * Called with each entry that could not be written, and at the end, in a line for each reason, of attributes that could not be set; the rest goes on.
   * Without it the first one is thrown.
   */
  readonly onProblem?: ((problem: SourceProblem) => void) | undefined
  readonly onProgress?: ((entries: number, bytes: number) => void) | undefined
}

export interface ExtractReport {
  /** With those left as they were. */
  readonly entries: number
  /** That were written. */
  readonly bytes: number
  /** Files that were there already, and left. */
  readonly unchanged: number
  readonly problems: number
}

/** Other things want their turn on the main thread at least so often. */
const SLICE_MS = 10
const MEMORY_BYTES = 1024 * 1024
/** Of so many files it is known that they were not written. */
const MAX_FAILED = 10_000

/**
 * Writes entries into a directory, which is made when it is missing, and nothing outside it, whatever their paths and links say. What is there
 * already under an entry's name is replaced once the entry is whole, except directories, which stay, with what else is in them.
 * @throws SourceError, also when the disk is full, read-only or broken; the abort's reason
 */
export async function extract(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  directory: string,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  const path = resolve(directory)
  makeTarget(path)
  const metadata = await MetadataWriter.load(options.ownership ?? process.geteuid?.() === 0)
  return await new Extraction(path, metadata, options).run(entries)
}

class Extraction {
  readonly #options: ExtractOptions
  readonly #directory: string
  readonly #directories: OpenDirectories
  readonly #target: TargetDirectory
  readonly #metadata: MetadataWriter
  readonly #unfinished: Unfinished
  readonly #userId = BigInt(process.geteuid?.() ?? 0)
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES)
  /** Paths of files that were not written: what is there under their names is not what a hard link means. */
  readonly #failedFiles = new Set<string>()
  #entries = 0
  #bytes = 0
  #unchanged = 0
  #problems = 0

  /** @param directory - absolute, and there */
  constructor(directory: string, metadata: MetadataWriter, options: ExtractOptions) {
    this.#options = options
    this.#directory = directory
    this.#metadata = metadata
    this.#directories = new OpenDirectories(directory, (components, error) =>
      this.#fail(joined(components), components, error),
    )
    this.#target = this.#directories.target
    this.#unfinished = new Unfinished(directory)
  }

  async run(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<ExtractReport> {
    removeLeftOver(this.#target.root)
    try {
      await this.#writeAll(entries)
      this.#directories.leave([])
    } catch (error) {
      this.#directories.abandon()
      throw error
    }
    await this.#unfinished.end()
    for (const problem of this.#metadata.problems()) this.#report(problem)
    this.#options.onProgress?.(this.#entries, this.#bytes)
    return {
      entries: this.#entries,
      bytes: this.#bytes,
      unchanged: this.#unchanged,
      problems: this.#problems,
    }
  }

  async #writeAll(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<void> {
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
  }

  async #attempt(entry: Entry): Promise<void> {
    let components: Buffer[] = []
    try {
      components = safeComponents(entry.path)
      this.#directories.leave(components)
      this.#target.ensureParents(components)
      await this.#write(entry, components)
      this.#entries++
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (entry.type === 'file' && this.#failedFiles.size < MAX_FAILED)
        this.#failedFiles.add(Buffer.from(entry.path).toString('latin1'))
      this.#fail(Buffer.from(entry.path), components, error)
    }
  }

  /** Reports an entry that failed, unless all others would too. */
  #fail(path: Buffer, components: readonly Buffer[], error: unknown): void {
    const [first] = components
    const isOpen = (): boolean =>
      first !== undefined &&
      lstatSync(this.#target.pathOf([first]), { throwIfNoEntry: false })?.isDirectory() === true
    const fatal = fatalTargetError(this.#directory, error, isOpen)
    if (fatal !== undefined) throw fatal
    if (!this.#options.onProblem) throw error
    const message = messageOf(error, this.#directory)
    this.#report({ code: 'unreadable', path: path.toString(), message })
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
      this.#directories.enter(components, (made, kind) => this.#metadata.set(made, entry, kind))
      return
    }
    const there = lstatSync(path, { throwIfNoEntry: false, bigint: true })
    // What is in it was not asked about.
    if (there?.isDirectory())
      throw new SourceError('unreadable', 'was not written: there is a directory of this name')
    if (there && (entry.type === 'hardlink' ? this.#isLinked(there, entry) : this.#isThere(there, entry))) {
      if (entry.type === 'file') this.#unchanged++
      if (this.#metadata.isOtherwise(there, entry)) this.#metadata.set(path, entry, 'kept')
      return
    }
    await this.#replace(path, (staged) => this.#make(entry, staged, there?.isFile() === true))
  }

  /** Makes something beside `path`, and renames it once it is whole: what was there stays until then, and for good when this fails. */
  async #replace(path: Buffer, make: (staged: Buffer) => Promise<void>): Promise<void> {
    const staged = stagedName(path)
    try {
      await make(staged)
      this.#unfinished.mark()
      renameSync(staged, path)
    } catch (error) {
      rmSync(staged, { force: true })
      throw error
    }
  }

  /** @param replaces - a file is lost when this one turns out not to be on the disk after a power failure */
  async #make(entry: Exclude<Entry, { type: 'directory' }>, path: Buffer, replaces: boolean): Promise<void> {
    switch (entry.type) {
      case 'file':
        this.#bytes += await writeFile(path, entry, {
          setMetadata: (file) => this.#metadata.setOfFile(file, path, entry),
          memory: this.#memory,
          sync: replaces,
          signal: this.#options.signal,
        })
        return
      case 'symlink':
        symlinkSync(Buffer.from(entry.target), path)
        this.#metadata.setOfLink(path, entry)
        return
      case 'hardlink':
        linkSync(this.#linked(entry), path)
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
    this.#metadata.set(path, entry, 'made')
  }

  /** Whether a file need not be written. One is only renamed to its name when it is whole and has its time: an older extraction left it whole. */
  #isThere(there: BigIntStats, entry: Entry): boolean {
    return (
      this.#options.overwrite === 'changed' &&
      entry.type === 'file' &&
      there.isFile() &&
      entry.size !== undefined &&
      there.size === BigInt(entry.size) &&
      isSameTime(there.mtimeNs, entry.mtimeNs) &&
      !this.#unfinished.mayLackBytes(there.ctimeNs) &&
      // Somebody else's can't be given its mode, and one of such a name no attributes, other than under the name that it is written under.
      (this.#userId === 0n || there.uid === this.#userId) &&
      (entry.attributes === undefined || isUtf8(entry.path))
    )
  }

  /** The file that a hard link is another name of. */
  #linked({ linkTo }: HardlinkEntry): Buffer {
    const components = safeComponents(linkTo)
    const target = this.#target.pathOf(components)
    const real =
      this.#target.parentsAreReal(components) && lstatSync(target, { throwIfNoEntry: false })?.isFile()
    if (!real)
      throw new SourceError('vanished', `was not linked: ${Buffer.from(linkTo).toString()} is not there`)
    if (this.#failedFiles.has(Buffer.from(linkTo).toString('latin1')))
      throw new SourceError('vanished', `was not linked: ${Buffer.from(linkTo).toString()} was not written`)
    return target
  }

  /** Whether it is another name of its file already: a rename of one name to another of the same file would leave both. */
  #isLinked(there: BigIntStats, entry: HardlinkEntry): boolean {
    const linked = lstatSync(this.#linked(entry), { bigint: true })
    return linked.ino === there.ino && linked.dev === there.dev
  }
}

function joined(components: readonly Buffer[]): Buffer {
  return Buffer.concat(
    components.flatMap((component, i) => (i === 0 ? [component] : [Buffer.from('/'), component])),
  )
}
