import { mkdirSync, readlinkSync } from 'node:fs'
import { mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { SinkError } from '@pipe-backup/sink'
import { Budget } from './budget.ts'
import { removedWithUs } from './cleanup-watchdog.ts'

/** Types of file systems that are memory, as statfs(2) reports them: TMPFS_MAGIC, RAMFS_MAGIC. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
/** The rest of a file system is other people's. */
const SHARE_OF_FREE = 0.45

/** A private directory in memory, for files that rsync sends and receives: objects never touch a disk. */
export class MemorySpool implements AsyncDisposable {
  /** Whose it is, for messages. */
  readonly sink: string
  readonly path: string
  /** For what is sent, and for what is received: neither can make the other wait for ever. */
  readonly up: Budget
  readonly down: Budget
  #made = 0

  /**
   * @param directory - on a tmpfs or ramfs. Default: `/dev/shm`, then the user's runtime directory
   * @param bytes - of objects that may be in it, for each direction
   * @throws SinkError `full` when there is no file system in memory, or one that can't be written
   */
  static async open(sink: string, directory: string | undefined, bytes: number): Promise<MemorySpool> {
    const base = await findMemory(sink, directory)
    // A process, and the namespace in which it has this number.
    const own = `pipe-backup-rsync-${pidNamespace()}-`
    await removeStale(base, own)
    try {
      const path = await mkdtemp(join(base, `${own}${process.pid}-`))
      removedWithUs(path)
      const { bavail, bsize } = await statfs(path)
      return new MemorySpool(sink, path, Math.min(bytes, Math.floor(bavail * bsize * SHARE_OF_FREE)))
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
      throw new SinkError('full', `no directory can be made in ${base} (${why})`, { sink, cause })
    }
  }

  private constructor(sink: string, path: string, bytes: number) {
    this.sink = sink
    this.path = path
    this.up = new Budget(sink, bytes)
    this.down = new Budget(sink, bytes)
  }

  /** Makes a directory of its own. @returns its name below `path` */
  newDirectory(): string {
    const name = `${++this.#made}`
    // In memory, some microseconds: cheaper than a turn of the thread pool.
    mkdirSync(join(this.path, name), { mode: 0o700 })
    return name
  }

  /** @param name - from `newDirectory`; default all */
  async remove(name = ''): Promise<void> {
    await rm(join(this.path, name), { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove()
  }
}

async function findMemory(sink: string, wanted: string | undefined): Promise<string> {
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`
  for (const directory of wanted === undefined ? ['/dev/shm', runtime] : [wanted]) {
    // Not there is not in memory.
    const found = await statfs(directory).catch(() => undefined)
    if (found && IN_MEMORY.has(found.type)) return directory
  }
  throw new SinkError('full', `${wanted ?? '/dev/shm'} is not a file system in memory (tmpfs)`, {
    sink,
    hint: 'rsync sends files, and objects must not be written to a disk: mount a tmpfs, and name it as `spool`.',
  })
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}

/** What killed processes of this user have left, when nothing of them was left to remove it. */
async function removeStale(base: string, own: string): Promise<void> {
  for (const name of await readdir(base).catch(() => [])) {
    const pid = name.startsWith(own) ? Number.parseInt(name.slice(own.length), 10) : Number.NaN
    if (Number.isNaN(pid) || isAlive(pid)) continue
    const path = join(base, name)
    const owner = await stat(path).catch(() => undefined)
    if (owner?.uid === process.getuid?.()) await rm(path, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
