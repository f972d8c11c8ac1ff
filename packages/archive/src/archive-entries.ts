import type { Entry, EntryReader, FileEntry, Source, SourceProblem } from '@pipe-backup/source'

export interface SourceTally {
  readonly name: string
  /** `incomplete`: some entries could not be taken, or changed while they were read. */
  state: 'ok' | 'incomplete' | 'failed'
  entries: number
  bytesRead: number
  problems: number
  error?: string | undefined
}

export interface ArchiveEntriesOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProblem: (problem: SourceProblem & { readonly source: string }) => void
  readonly onRead?: ((bytes: number) => void) | undefined
  readonly onEntry?: ((source: string) => void) | undefined
  /** @throws SourceError: the source is not to be read */
  readonly beforeSource?: ((name: string) => Promise<void>) | undefined
  /** Called in any case, with what became of it so far. */
  readonly afterSource?: ((tally: SourceTally) => Promise<void>) | undefined
}

/**
 * The entries of several sources, one after the other, each below its source's name, as a restore has them. What fails in a source fails
 * them all: an archive has everything, or is none.
 */
export class ArchiveEntries {
  readonly tallies: SourceTally[]
  readonly #sources: readonly Source[]
  readonly #options: ArchiveEntriesOptions
  #current: SourceTally | undefined

  constructor(sources: readonly Source[], options: ArchiveEntriesOptions) {
    this.#sources = sources
    this.#options = options
    this.tallies = sources.map(({ name }) => ({ name, state: 'ok', entries: 0, bytesRead: 0, problems: 0 }))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry> {
    for (const [i, source] of this.#sources.entries()) {
      const tally = this.tallies[i]
      if (!tally) continue
      this.#current = tally
      let isThrough = false
      try {
        await this.#options.beforeSource?.(source.name)
        for await (const entry of source.entries({
          signal: this.#options.signal,
          onProblem: (problem) => this.#note(tally, problem),
        })) {
          tally.entries++
          this.#options.onEntry?.(source.name)
          yield this.#placed(entry, source.name, tally)
        }
        isThrough = true
      } catch (error) {
        tally.state = 'failed'
        tally.error = error instanceof Error ? error.message : String(error)
        throw error
      } finally {
        if (!isThrough) tally.state = 'failed'
        await this.#after(tally)
      }
    }
  }

  /** A problem of an entry that was given out. Its path begins with its source's name. */
  report(problem: SourceProblem): void {
    const tally = this.#current
    if (!tally) return
    tally.entries--
    this.#note(tally, { ...problem, path: problem.path.slice(tally.name.length + 1) })
    if (problem.code === 'changed') tally.entries++
  }

  #note(tally: SourceTally, problem: SourceProblem): void {
    if (problem.code !== 'skipped') {
      tally.problems++
      if (tally.state === 'ok') tally.state = 'incomplete'
    }
    this.#options.onProblem({ ...problem, source: tally.name })
  }

  async #after(tally: SourceTally): Promise<void> {
    try {
      await this.#options.afterSource?.(tally)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#note(tally, { code: 'command-failed', path: '', message })
    }
  }

  #placed(entry: Entry, source: string, tally: SourceTally): Entry {
    const path = below(source, entry.path)
    if (entry.type === 'hardlink') return { ...entry, path, linkTo: below(source, entry.linkTo) }
    if (entry.type !== 'file') return { ...entry, path }
    const open = async (): Promise<EntryReader> => {
      const reader = await entry.open()
      // What is known of a file only when it is open, and what has changed since it was listed.
      Object.assign(placed, entry, { path, open })
      return {
        read: async (into) => {
          const got = await reader.read(into)
          tally.bytesRead += got
          this.#options.onRead?.(got)
          return got
        },
        finish: () => reader.finish(),
        close: () => reader.close(),
      }
    }
    const placed: FileEntry = { ...entry, path, open }
    return placed
  }
}

function below(source: string, path: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${source}/`), path])
}
