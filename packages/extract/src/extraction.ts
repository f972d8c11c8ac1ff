import { isUtf8 } from 'node:buffer'
import { type BigIntStats, linkSync, lstatSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type DirectoryEntry,
  type Entry,
  type FileEntry,
  SourceError,
  type SourceProblem,
} from '@pipe-backup/source'
import type { ExtractOptions, ExtractReport, Overwrite } from './extract.ts'
import { LinkedFiles } from './linked-files.ts'
import { makeNode } from './make-nodes.ts'
import type { MetadataWriter } from './metadata-writer.ts'
import { OpenDirectories } from './open-directories.ts'
import { joined, keyOf } from './path-key.ts'
import { readWhole } from './read-whole.ts'
import { safeComponents } from './safe-path.ts'
import type { Placing } from './small-file.ts'
import { removeLeftOver, stagedName } from './staged-names.ts'
import type { TargetDirectory } from './target-directory.ts'
import { directoryInTheWay, fatalTargetError, messageOf } from './target-errors.ts'
import { isSameTime } from './times.ts'
import { Unfinished } from './unfinished.ts'
import { WriteBehind, type WriteLimits } from './write-behind.ts'
import { writeFile } from './write-file.ts'

/** Other things want their turn on the main thread at least so often. */
const SLICE_MS = 10
/** What is read of a large file at once. */
const MEMORY_BYTES = 1024 * 1024

/** One run of `extract`. */
export class Extraction {
  readonly #options: ExtractOptions
  readonly #overwrite: Overwrite
  readonly #directory: string
  readonly #directories: OpenDirectories
  readonly #target: TargetDirectory
  readonly #metadata: MetadataWriter
  readonly #unfinished: Unfinished
  readonly #behind: WriteBehind
  readonly #userId = BigInt(process.geteuid?.() ?? 0)
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES)
  readonly #linked: LinkedFiles
  #entries = 0
  #bytes = 0
  #unchanged = 0
  #kept = 0
  #problems = 0

  /** @param directory - absolute, and there */
  constructor(directory: string, metadata: MetadataWriter, options: ExtractOptions, limits: WriteLimits) {
    this.#options = options
    this.#overwrite = options.overwrite ?? 'always'
    this.#directory = directory
    this.#metadata = metadata
    this.#behind = new WriteBehind({
      limits,
      onError: (key, error) => this.#failWritten(key, error),
      onRefused: (key, refusal) => metadata.refused(Buffer.from(key, 'latin1'), refusal),
      onWritten: (files, bytes) => {
        this.#entries += files
        this.#bytes += bytes
      },
    })
    this.#directories = new OpenDirectories(
      directory,
      (components, error) => this.#fail(joined(components), components, error),
      (components, run) => this.#behind.later(run, keyOf(joined(components))),
    )
    this.#target = this.#directories.target
    this.#linked = new LinkedFiles(this.#target)
    this.#unfinished = new Unfinished(directory)
  }

  async run(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<ExtractReport> {
    removeLeftOver(this.#target.root)
    try {
      await this.#writeAll(entries)
      this.#directories.leave([])
      await this.#behind.drain()
    } catch (error) {
      await this.#behind.abandon()
      this.#directories.abandon()
      throw error
    }
    await this.#unfinished.end(this.#directories.written)
    for (const problem of this.#metadata.problems()) this.#report(problem)
    this.#options.onProgress?.(this.#entries, this.#bytes)
    return {
      entries: this.#entries,
      bytes: this.#bytes,
      unchanged: this.#unchanged,
      kept: this.#kept,
      problems: this.#problems,
    }
  }

  async #writeAll(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<void> {
    let sliceStart = performance.now()
    for await (const entry of entries) {
      this.#options.signal?.throwIfAborted()
      this.#behind.check()
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
    const key = keyOf(entry.path)
    try {
      components = safeComponents(entry.path)
      this.#directories.leave(components)
      const settling = this.#behind.settle(key)
      if (settling) await settling
      this.#target.ensureParents(components)
      if (await this.#write(entry, components, key)) this.#entries++
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      this.#behind.check()
      if (entry.type === 'file') this.#linked.fail(key)
      const problem = this.#problemOf(Buffer.from(entry.path), components, error)
      this.#behind.later(() => this.#report(problem))
    }
  }

  /** A file that was handed over, and could not be written. */
  #failWritten(key: string, error: Error): void {
    const path = Buffer.from(key, 'latin1')
    this.#linked.fail(key)
    this.#fail(path, safeComponents(path), error)
  }

  /** Reports an entry that failed, unless all others would too. */
  #fail(path: Buffer, components: readonly Buffer[], error: unknown): void {
    this.#report(this.#problemOf(path, components, error))
  }

  /** @throws what ends everything */
  #problemOf(path: Buffer, components: readonly Buffer[], error: unknown): SourceProblem {
    const [first] = components
    const isOpen = (): boolean =>
      first !== undefined &&
      lstatSync(this.#target.pathOf([first]), { throwIfNoEntry: false })?.isDirectory() === true
    const fatal = fatalTargetError(this.#directory, error, isOpen)
    if (fatal !== undefined) throw fatal
    if (!this.#options.onProblem) throw error
    return { code: 'unreadable', path: path.toString(), message: messageOf(error, this.#directory) }
  }

  #report(problem: SourceProblem): void {
    const { onProblem } = this.#options
    if (!onProblem)
      throw new SourceError(problem.code, `${problem.path}: ${problem.message}`, { path: problem.path })
    this.#problems++
    onProblem(problem)
  }

  /** @returns whether it is to be counted: a file that was handed over is when it is written, a directory that was not asked for never */
  async #write(entry: Entry, components: Buffer[], key: string): Promise<boolean> {
    const path = this.#target.pathOf(components)
    if (entry.type === 'directory') return this.#writeDirectory(entry, components, path)
    if (entry.type === 'hardlink') await this.#behind.settle(keyOf(entry.linkTo))
    if (entry.type === 'file' && this.#target.isNew) {
      const isWritten = await this.#writeSmall(entry, path, key, 'direct')
      if (isWritten !== undefined) return isWritten
    }
    const there = lstatSync(path, { throwIfNoEntry: false, bigint: true })
    if (there?.isDirectory()) throw directoryInTheWay()
    if (
      there &&
      (entry.type === 'hardlink' ? this.#linked.isLinked(there, entry) : this.#isThere(there, entry))
    ) {
      if (entry.type === 'file') this.#unchanged++
      if (this.#overwrite !== 'never' && this.#metadata.isOtherwise(there, entry))
        this.#metadata.set(path, entry, 'kept')
      return true
    }
    if (there && this.#overwrite === 'never') return this.#keep(there, entry, key)
    const replaces = there?.isFile() === true
    if (entry.type === 'file') {
      const isWritten = await this.#writeSmall(entry, path, key, replaces ? 'synced' : 'staged')
      if (isWritten !== undefined) return isWritten
    }
    await this.#replace(path, (staged) => this.#make(entry, staged, replaces))
    return true
  }

  #writeDirectory(entry: DirectoryEntry, components: Buffer[], path: Buffer): boolean {
    const { ifMissing = false } = entry
    const there = (ifMissing || this.#overwrite === 'never') && lstatSync(path, { throwIfNoEntry: false })
    if (there && !ifMissing && !there.isDirectory()) this.#kept++
    if (!there) this.#directories.enter(components, (made, kind) => this.#metadata.set(made, entry, kind))
    return !ifMissing
  }

  /** Leaves what is there. @throws SourceError where it may be what an interrupted restore left half written */
  #keep(there: BigIntStats, entry: Entry, key: string): boolean {
    if (entry.type === 'file') {
      if (
        there.isFile() &&
        there.size < BigInt(entry.size ?? 0) &&
        this.#unfinished.mayBeLeftOver(there.ctimeNs)
      )
        throw new SourceError('unreadable', 'may be half of what an interrupted restore wrote: it was left', {
          hint: 'Restore it with --overwrite changed.',
        })
      this.#linked.fail(key)
    }
    this.#kept++
    return true
  }

  /**
   * Writes a small file that needs nothing but bytes, owner, mode and time, or hands it over to a thread that does.
   * @returns whether it is written; undefined for another file
   */
  async #writeSmall(
    entry: FileEntry,
    path: Buffer,
    key: string,
    placing: Placing,
  ): Promise<boolean | undefined> {
    const { size } = entry
    if (size === undefined || entry.sparse || !this.#behind.takes(path.length + size, placing))
      return undefined
    if (!this.#metadata.isPlain(path, entry)) return undefined
    const memory = this.#behind.memoryFor(path, size)
    const room = memory instanceof Promise ? await memory : memory
    const length = await readWhole(entry, room, this.#options.signal)
    // Once more: a file that was replaced since it was listed is described as it is now.
    if (length === undefined || !this.#metadata.isPlain(path, entry)) return undefined
    this.#unfinished.mark()
    const isWritten = this.#behind.add(key, path, length, placing, this.#metadata.plainOf(entry))
    if (isWritten) this.#bytes += length
    return isWritten
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
      case 'file': {
        // Not added at once: it may change in the meantime.
        const written = await writeFile(path, entry, {
          setMetadata: (file) => this.#metadata.setOfFile(file, path, entry),
          memory: this.#memory,
          sync: replaces,
          signal: this.#options.signal,
        })
        this.#bytes += written
        return
      }
      case 'symlink':
        symlinkSync(Buffer.from(entry.target), path)
        return this.#metadata.setOfLink(path, entry)
      case 'hardlink':
        return linkSync(this.#linked.pathOf(entry), path)
      case 'fifo':
      case 'character-device':
      case 'block-device':
        await makeNode(path, entry)
    }
    this.#metadata.set(path, entry, 'made')
  }

  /** Whether a file need not be written. One is only renamed to its name when it is whole and has its time: an older extraction left it whole. */
  #isThere(there: BigIntStats, entry: Entry): boolean {
    return (
      this.#overwrite !== 'always' &&
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
}
