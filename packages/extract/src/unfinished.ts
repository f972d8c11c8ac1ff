import { execFile } from 'node:child_process'
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SourceError } from '@pipe-backup/source'

const NAME = '.pipe-backup-unfinished'
/** How far off the clock may be that files get their times from. */
const CLOCK_SLACK_NS = 60_000_000_000n
const run = promisify(execFile)

/** An extraction that was begun: since which start of the machine, and when, in nanoseconds since the epoch. */
interface Begun {
  readonly boot: string
  readonly sinceNs: bigint
}

/**
 * A file in the target directory while an extraction goes on. Nobody waits for the disk with each file: until all of them are written out, a power
 * cut may leave one with its name, length and time, and without its bytes. Where the mark is found by the next extraction, and the machine has
 * started again since, such files are not taken for what they seem.
 */
export class Unfinished {
  readonly #directory: string
  readonly #file: string
  /** What earlier ones have left, oldest first. */
  readonly #begun: readonly Begun[]
  readonly #boot = bootId()
  #isMarked: boolean | undefined

  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, NAME)
    this.#begun = readMark(this.#file)
    if (this.#begun.length > 0) this.mark()
  }

  /** Marks the directory, before the first file gets its name there: on the disk sooner than that. */
  mark(): void {
    if (this.#isMarked !== undefined) return
    this.#isMarked = false
    try {
      const now = { boot: this.#boot, sinceNs: BigInt(Date.now()) * 1_000_000n }
      if (!this.#ours()) writeMark(this.#directory, this.#file, [...this.#begun, now])
      this.#isMarked = true
    } catch {
      // What keeps it from being written in is reported by what is to be written.
    }
  }

  /** @param ctimeNs - when the file was changed last */
  mayLackBytes(ctimeNs: bigint): boolean {
    const [first] = this.#begun
    if (!first || first.boot === this.#boot) return false
    const ours = this.#ours()
    const isSince = ours !== undefined && ctimeNs > ours.sinceNs + CLOCK_SLACK_NS
    return ctimeNs >= first.sinceNs - CLOCK_SLACK_NS && !isSince
  }

  /** @param ctimeNs - when the file was changed last @returns whether an extraction that did not end may have written it */
  mayBeLeftOver(ctimeNs: bigint): boolean {
    const [first] = this.#begun
    return first !== undefined && ctimeNs >= first.sinceNs - CLOCK_SLACK_NS
  }

  /**
   * When all is written: waits for the disks, and takes the mark away. Where that fails, or it does not come to that, it stays for the next one,
   * which looks at the files more closely, and writes them once more.
   * @param written - a directory of each file system that was written to
   * @throws SourceError when a disk did not take all of it: what is written goes to memory first, and this may be the only one to hear of it
   */
  async end(written: readonly string[]): Promise<void> {
    if (!this.#isMarked) return
    try {
      const paths = [this.#directory, ...written]
      await run('sync', ['--file-system', '--', ...paths], { env: { ...process.env, LC_ALL: 'C' } })
      rmSync(this.#file, { force: true })
    } catch (error) {
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
      // No such program, or one without that option, says nothing of the disk.
      const [, which = this.#directory, reason] = /^sync: error syncing '(.*)': ([^:]+)$/m.exec(said) ?? []
      if (reason === undefined) return
      const message = `${which} did not take all that was written: ${reason}`
      const hint =
        'Look at the disk and the log of the system. Restore once more: to another disk, or here once it is well.'
      throw new SourceError('unreadable', message, { path: this.#directory, hint, cause: error })
    }
  }

  /** That of an earlier one since the machine has started. */
  #ours(): Begun | undefined {
    return this.#begun.find(({ boot }) => boot === this.#boot)
  }
}

/** Oldest first. Of a mark that can't be read nothing is known but that it is there. */
function readMark(file: string): Begun[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  }
  const begun = [...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, boot = '', since = '0']) => ({
    boot,
    sinceNs: BigInt(since),
  }))
  return begun.length > 0 ? begun : [{ boot: '', sinceNs: 0n }]
}

/** On the disk before any of the files can be. */
function writeMark(directory: string, file: string, begun: readonly Begun[]): void {
  const text = begun.map(({ boot, sinceNs }) => `${boot} ${sinceNs}\n`).join('')
  try {
    writeFileSync(file, text, { mode: 0o600, flush: true })
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  }
  const opened = openSync(directory, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

/** Another one after each start of the machine. Where nobody knows, each extraction is as one after a start. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return `unknown-${Date.now()}`
  }
}
