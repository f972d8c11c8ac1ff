import { isUtf8 } from 'node:buffer'
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
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
  type HardlinkEntry,
  SourceError,
  type SourceProblem,
} from '@pipe-backup/source'
import { modeWithout } from './access-acl.ts'
import { AttributeWriter } from './attributes.ts'
import { makeNode } from './make-nodes.ts'
import { Owners } from './owners.ts'
import { safeComponents } from './safe-path.ts'
import { removeLeftOver, stagedName } from './staged-names.ts'
import { TargetDirectory } from './target-directory.ts'
import { fatalTargetError, makeTarget, messageOf } from './target-errors.ts'
import { isSameTime, isUncommon, toTime } from './times.ts'
import { writeFile } from './write-file.ts'

export interface ExtractOptions {
  readonly signal?: AbortSignal
  /** Restore owners, set-id bits, file capabilities and `trusted.*` attributes. Default: when run as root. */
  readonly ownership?: boolean
  /**
   * What becomes of a file that is there already: `always` writes it again, `changed` leaves it when it is a file of the same size and
   * modification time, and sets its other metadata. Default `always`.
   */
  readonly overwrite?: 'always' | 'changed' | undefined
  /**
   * Told of each entry that could not be written, and at the end, in a line for each reason, of attributes that could not be set; the rest goes on.
   * Without it the first one is thrown.
   */
  readonly onProblem?: (problem: SourceProblem) => void
  readonly onProgress?: (entries: number, bytes: number) => void
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
const CLOCK_SLACK_MS = 60_000
/** Of so many directories it is known that they have been swept, of so many files that they were not written; of more it does no harm. */
const MAX_REMEMBERED = 10_000

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
  return new Extraction(directory, options).run(entries)
}

class Extraction {
  readonly #options: ExtractOptions
  readonly #directory: string
  readonly #target: TargetDirectory
  readonly #ownership: boolean
  readonly #owners = new Owners()
  readonly #userId = BigInt(process.geteuid?.() ?? 0)
  #attributes: AttributeWriter | undefined
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES)
  /** Directories whose metadata is set when all that is in them has been written, outermost first. */
  readonly #open: { components: Buffer[]; close: (path: Buffer) => void }[] = []
  /** In nanoseconds since the epoch; earlier by what the clock of a file server may be behind. */
  readonly #startedNs = BigInt(Date.now() - CLOCK_SLACK_MS) * 1_000_000n
  /** Inodes of directories that have nothing left over. */
  readonly #swept = new Set<bigint>()
  /** Paths of files that were not written: what is there under their names is not what a hard link means. */
  readonly #failedFiles = new Set<string>()
  /** Entries whose time the file system can't hold. */
  readonly #unsetTimes = { first: '', count: 0 }
  #entries = 0
  #bytes = 0
  #unchanged = 0
  #problems = 0

  constructor(directory: string, options: ExtractOptions) {
    this.#options = options
    this.#ownership = options.ownership ?? process.geteuid?.() === 0
    this.#directory = resolve(directory)
    this.#target = new TargetDirectory(this.#directory, (components, info) => this.#reopen(components, info))
  }

  async run(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<ExtractReport> {
    makeTarget(this.#directory)
    removeLeftOver(this.#target.root)
    this.#attributes = await AttributeWriter.load(this.#ownership)
    try {
      await this.#writeAll(entries)
      this.#closeDirectories([])
    } catch (error) {
      this.#abandonDirectories()
      throw error
    }
    for (const problem of this.#attributes.problems()) this.#report(problem)
    if (this.#unsetTimes.count > 0) this.#report(timeProblem(this.#unsetTimes))
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
      this.#closeDirectories(components)
      this.#target.ensureParents(components)
      await this.#write(entry, components)
      this.#entries++
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      if (entry.type === 'file' && this.#failedFiles.size < MAX_REMEMBERED)
        this.#failedFiles.add(Buffer.from(entry.path).toString('latin1'))
      this.#fail(Buffer.from(entry.path), components, error)
    }
  }

  /** Tells of an entry that failed, unless all others would too. */
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
      const kind = this.#makeDirectory(path)
      this.#open.push({ components, close: (made) => this.#setMetadata(made, entry, kind) })
      return
    }
    const there = lstatSync(path, { throwIfNoEntry: false, bigint: true })
    // What is in it was not asked about.
    if (there?.isDirectory())
      throw new SourceError('unreadable', 'was not written: there is a directory of this name')
    if (there && (entry.type === 'hardlink' ? this.#isLinked(there, entry) : this.#isThere(there, entry))) {
      if (entry.type === 'file') this.#unchanged++
      if (this.#isOtherwise(there, entry)) this.#setMetadata(path, entry, 'kept')
      return
    }
    await this.#replace(path, (staged) => this.#make(entry, staged, there?.isFile() === true))
  }

  /** Makes something beside `path`, and renames it once it is whole: what was there stays until then, and for good when this fails. */
  async #replace(path: Buffer, make: (staged: Buffer) => Promise<void>): Promise<void> {
    const staged = stagedName(path)
    try {
      await make(staged)
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
          setMetadata: (file) => this.#setFileMetadata(file, path, entry),
          memory: this.#memory,
          sync: replaces,
          signal: this.#options.signal,
        })
        return
      case 'symlink':
        symlinkSync(Buffer.from(entry.target), path)
        if (this.#ownership) lchownSync(path, this.#owners.uid(entry), this.#owners.gid(entry))
        this.#attributes?.set(path, entry, 'made')
        lutimesSync(path, toTime(entry.mtimeNs), toTime(entry.mtimeNs))
        this.#checkTime(entry, () => lstatSync(path, { bigint: true }))
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
    this.#setMetadata(path, entry, 'made')
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
      // Somebody else's can't be given its mode, and one of such a name no attributes, other than under the name that it is written under.
      (this.#userId === 0n || there.uid === this.#userId) &&
      (entry.attributes === undefined || isUtf8(entry.path))
    )
  }

  /** Whether a file that is left has other metadata than its entry, as far as a look tells. */
  #isOtherwise(there: BigIntStats, entry: Entry): boolean {
    if (entry.type === 'hardlink') return false
    return (
      (there.mode & 0o7777n) !== BigInt(this.#mode(entry)) ||
      (this.#ownership &&
        (there.uid !== BigInt(this.#owners.uid(entry)) || there.gid !== BigInt(this.#owners.gid(entry)))) ||
      (entry.attributes?.length ?? 0) > 0
    )
  }

  #makeDirectory(path: Buffer): 'made' | 'kept' {
    const info = lstatSync(path, { throwIfNoEntry: false, bigint: true })
    if (info?.isDirectory()) {
      this.#makeWritable(path, info)
      this.#sweep(path, info)
      return 'kept'
    }
    // Nobody else looks in before its own mode is set, after its contents.
    if (!info) mkdirSync(path, { mode: 0o700 })
    else this.#replaceByDirectory(path)
    return 'made'
  }

  /** A rename does not put a directory in a file's place: the file goes when the directory is there to be renamed. */
  #replaceByDirectory(path: Buffer): void {
    const staged = stagedName(path)
    mkdirSync(staged, { mode: 0o700 })
    try {
      unlinkSync(path)
      renameSync(staged, path)
    } catch (error) {
      rmdirSync(staged)
      throw error
    }
  }

  /**
   * For a directory that is come back to after others, as in archives of bsdtar, which has files before directories: what it has got in the
   * meantime is set again when it is left. Known by the time of its last change, for nothing has to be remembered for that. One that was
   * changed by somebody else just before keeps its times too, which does no harm. One that was there before, and lets nobody write in it, gets
   * its mode again too.
   */
  #reopen(components: Buffer[], info: BigIntStats): void {
    if (this.#open.some((open) => samePath(open.components, components))) return
    const path = this.#target.pathOf(components)
    const wasLocked = this.#makeWritable(path, info)
    this.#sweep(path, info)
    const isOwned = this.#userId === 0n || info.uid === this.#userId
    const isRecent = isOwned && info.ctimeNs >= this.#startedNs
    if (!isRecent && !wasLocked) return
    this.#open.push({
      components,
      close: (left) => {
        chmodSync(left, Number(info.mode & 0o7777n))
        if (isRecent) utimesSync(left, toTime(info.atimeNs), toTime(info.mtimeNs))
      },
    })
  }

  /** A directory may have a mode that lets not even its owner write in it: from this extraction, an older one, or before. */
  #makeWritable(path: Buffer, info: BigIntStats): boolean {
    if (info.uid !== this.#userId || (info.mode & 0o700n) === 0o700n) return false
    chmodSync(path, Number(info.mode & 0o7777n) | 0o700)
    return true
  }

  #sweep(path: Buffer, { ino }: BigIntStats): void {
    if (this.#swept.has(ino)) return
    removeLeftOver(path)
    if (this.#swept.size >= MAX_REMEMBERED) this.#swept.clear()
    this.#swept.add(ino)
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

  /** Sets the metadata of the directories that the walk has left. */
  #closeDirectories(next: readonly Buffer[]): void {
    for (let last = this.#open.at(-1); last; last = this.#open.at(-1)) {
      const { components, close } = last
      if (components.length < next.length && samePath(components, next.slice(0, components.length))) return
      this.#open.pop()
      try {
        close(this.#target.pathOf(components))
      } catch (error) {
        this.#fail(joined(components), components, error)
      }
    }
  }

  /** As `#closeDirectories`, when it has failed already: each gets as much of its metadata as it can. */
  #abandonDirectories(): void {
    for (const { components, close } of this.#open.splice(0).reverse()) {
      try {
        close(this.#target.pathOf(components))
      } catch {
        // The first failure is the one that is told.
      }
    }
  }

  /** In this order: chown takes set-id bits and capabilities away, and a mode set before its control list would let the group in. */
  #setMetadata(path: Buffer, entry: Entry, kind: 'made' | 'kept'): void {
    if (this.#ownership) chownSync(path, this.#owners.uid(entry), this.#owners.gid(entry))
    chmodSync(path, this.#setAttributes(path, entry, kind))
    utimesSync(path, toTime(entry.mtimeNs), toTime(entry.mtimeNs))
    this.#checkTime(entry, () => lstatSync(path, { bigint: true }))
  }

  /** As `#setMetadata`, through the file that is open, as far as that can be done. */
  #setFileMetadata(file: number, path: Buffer, entry: Entry): void {
    if (this.#ownership) fchownSync(file, this.#owners.uid(entry), this.#owners.gid(entry))
    fchmodSync(file, this.#setAttributes(path, entry, 'made'))
    futimesSync(file, toTime(entry.mtimeNs), toTime(entry.mtimeNs))
    this.#checkTime(entry, () => fstatSync(file, { bigint: true }))
  }

  /** File systems set the nearest time that they have, and say nothing. */
  #checkTime(entry: Entry, look: () => BigIntStats): void {
    if (!isUncommon(entry.mtimeNs) || isSameTime(look().mtimeNs, entry.mtimeNs)) return
    if (this.#unsetTimes.count++ === 0) this.#unsetTimes.first = Buffer.from(entry.path).toString()
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

function timeProblem({ first, count }: { readonly first: string; readonly count: number }): SourceProblem {
  const where = count === 1 ? '' : ` of ${count} entries, this the first`
  const message = `not restored: the modification time${where}: the file system has no such time, and got the nearest`
  return { code: 'unreadable', path: first, message }
}

function joined(components: readonly Buffer[]): Buffer {
  return Buffer.concat(
    components.flatMap((component, i) => (i === 0 ? [component] : [Buffer.from('/'), component])),
  )
}

function samePath(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((component, i) => component.equals(b[i] ?? Buffer.alloc(0)))
}
