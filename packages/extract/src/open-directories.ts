import { isUtf8 } from 'node:buffer'
import {
  type BigIntStats,
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  utimesSync,
} from 'node:fs'
import { removeLeftOver, stagedName } from './staged-names.ts'
import { TargetDirectory } from './target-directory.ts'
import { toTime } from './times.ts'

const CLOCK_SLACK_MS = 60_000
/** Of so many directories it is known that they have been swept. */
const MAX_SWEPT = 10_000

type Later = (components: readonly Buffer[], run: () => void) => void

interface OpenDirectory {
  readonly components: readonly Buffer[]
  readonly close: (path: Buffer) => void
}

/**
 * The directories that entries are written in: writable for as long as that goes on, free of what killed extractions have left in them, and given
 * their metadata when they are left.
 */
export class OpenDirectories {
  readonly target: TargetDirectory
  readonly #onError: (components: readonly Buffer[], error: unknown) => void
  readonly #later: Later
  readonly #userId = BigInt(process.geteuid?.() ?? 0)
  /** Outermost first. */
  readonly #open: OpenDirectory[] = []
  /** In nanoseconds since the epoch; earlier by what the clock of a file server may be behind. */
  readonly #startedNs = BigInt(Date.now() - CLOCK_SLACK_MS) * 1_000_000n
  /** A directory of each file system that was found below the target. */
  readonly #devices = new Map<bigint, Buffer>()
  /** Inodes of directories that have nothing left over. */
  readonly #swept = new Set<bigint>()

  /**
   * @param onError - given each directory that did not get its metadata; may throw
   * @param later - does something once all is written that was begun before
   */
  constructor(root: string, onError: (components: readonly Buffer[], error: unknown) => void, later: Later) {
    this.#onError = onError
    this.#later = later
    this.target = new TargetDirectory(root, (components, info) => this.#reopen(components, info))
  }

  /**
   * Makes a directory, in the place of what is none, or takes the one that is there.
   * @param setMetadata - called when all that is in it has been written
   */
  enter(components: readonly Buffer[], setMetadata: (path: Buffer, kind: 'made' | 'kept') => void): void {
    const kind = this.#make(this.target.pathOf(components))
    this.target.entered(components, kind === 'made')
    this.#open.push({ components, close: (path) => setMetadata(path, kind) })
  }

  /** Sets the metadata of the directories that do not lead to this path, once all that is in them is written. */
  leave(next: readonly Buffer[]): void {
    for (let last = this.#open.at(-1); last; last = this.#open.at(-1)) {
      const { components, close } = last
      if (components.length < next.length && samePath(components, next.slice(0, components.length))) return
      this.#open.pop()
      this.#later(components, () => {
        try {
          close(this.target.pathOf(components))
        } catch (error) {
          this.#onError(components, error)
        }
      })
    }
  }

  /** A directory of each file system that has been written to, beside the target's own perhaps. */
  get written(): readonly string[] {
    return [...this.#devices.values()].map((path) => path.toString())
  }

  /** As `leave`, when it has failed already: each gets as much of its metadata as it can. */
  abandon(): void {
    for (const { components, close } of this.#open.splice(0).reverse()) {
      try {
        close(this.target.pathOf(components))
      } catch {
        // The first failure is the one that is reported.
      }
    }
  }

  /** Programs are given text: of a path that is none another one does. */
  #noteDevice(device: bigint, path: Buffer): void {
    if (!this.#devices.has(device) && isUtf8(path)) this.#devices.set(device, path)
  }

  #make(path: Buffer): 'made' | 'kept' {
    const info = lstatSync(path, { throwIfNoEntry: false, bigint: true })
    if (info?.isDirectory()) {
      this.#noteDevice(info.dev, path)
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
  #reopen(components: readonly Buffer[], info: BigIntStats): void {
    if (this.#open.some((open) => samePath(open.components, components))) return
    const path = this.target.pathOf(components)
    this.#noteDevice(info.dev, path)
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
    if (this.#swept.size >= MAX_SWEPT) this.#swept.clear()
    this.#swept.add(ino)
  }
}

function samePath(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((component, i) => component.equals(b[i] ?? Buffer.alloc(0)))
}
