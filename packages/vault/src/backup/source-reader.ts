import { createGear } from '@pipe-backup/chunker'
import type { Source } from '@pipe-backup/source'
import type { SnapshotSource } from '../format/snapshot-object.ts'
import type { DerivedKeys } from '../format/vault-host.ts'
import type { ChunkIndex } from '../store/chunk-index.ts'
import type { RunContext } from './backup-options.ts'
import type { CarriedSources } from './carried-sources.ts'
import type { FileState } from './file-state.ts'
import type { PackLine } from './pack-line.ts'
import type { SourceReport } from './report.ts'
import { SourceBackup } from './source-backup.ts'

export interface SourceResult {
  readonly report: SourceReport
  readonly head: SnapshotSource
}

interface SourceReaderParts {
  readonly derived: DerivedKeys
  readonly index: ChunkIndex
  readonly line: PackLine
  readonly state: FileState
  readonly carried: CarriedSources
}

/** Reads the sources of a run, one after the other, into its packs. */
export class SourceReader {
  readonly #run: RunContext
  readonly #parts: SourceReaderParts
  /** Sources that may be carried later, and the ids of their chunks. */
  readonly #readNow: {
    readonly head: SnapshotSource
    readonly ids: Buffer
    readonly readAs: string | undefined
  }[] = []

  constructor(run: RunContext, parts: SourceReaderParts) {
    this.#run = run
    this.#parts = parts
  }

  /** @throws what ends the run; a SourceError is only reported in the result */
  async take(source: Source): Promise<SourceResult> {
    const carried = this.#carry(source)
    if (carried) return carried
    let result: SourceResult
    try {
      await this.#run.beforeSource?.(source.name)
      result = await this.#read(source)
    } catch (error) {
      const failed = failedSource(source.name, error)
      if (error instanceof Error && error.name === 'SourceError') return await this.#after(failed)
      // The run has failed, or is stopped: who prepared something for the source is reported all the same.
      await this.#after(failed).catch(() => undefined)
      throw error
    }
    return await this.#after(result)
  }

  /** Remembers the sources that need not be read each time, once the snapshot is committed. */
  async keepForLater(): Promise<void> {
    const { carried } = this.#parts
    const takenAt = this.#run.started.toISOString()
    for (const { head, ids, readAs } of this.#readNow)
      carried.set({ head: { ...head, takenAt }, ids: ids.toString('base64'), readAs })
    // Without it the sources are read again: no reason for a run to fail.
    if (this.#readNow.length > 0) await carried.save().catch(() => undefined)
  }

  async #after(result: SourceResult): Promise<SourceResult> {
    const { report } = result
    try {
      await this.#run.afterSource?.(report)
      return result
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#run.onProblem?.({ source: report.name, code: 'skipped', path: '', message })
      return { ...result, report: { ...report, problems: report.problems + 1 } }
    }
  }

  /** A source that is not due and still whole on the sinks, as it was read last. */
  #carry(source: Source): SourceResult | undefined {
    const { name } = source
    const everyMs = this.#run.everyMs?.get(name)
    if (everyMs === undefined || this.#run.force === true) return undefined
    const { carried: remembered, index } = this.#parts
    const carried = remembered.find(source, everyMs, this.#run.started)
    if (!carried || !index.keepWalked(Buffer.from(carried.ids, 'base64'))) return undefined
    const { state, entries, bytes, problems, takenAt } = carried.head
    this.#run.progress.bytesUnchanged += bytes
    return {
      report: { name, state, entries, bytes, bytesRead: 0, bytesNew: 0, problems, takenAt },
      head: carried.head,
    }
  }

  async #read(source: Source): Promise<SourceResult> {
    const { progress, onProblem, everyMs } = this.#run
    const { index, line, state: fileState } = this.#parts
    const { name } = source
    progress.phase = 'reading'
    progress.source = name
    const newBefore = line.bytesNew
    let bytesRead = 0
    let walk = this.#walk(source)
    try {
      let root = await walk.run()
      bytesRead += walk.counts.bytesRead
      let settled = !source.settle
      for (let pass = 1; !settled && pass <= (source.settle ?? 0); pass++) {
        walk = this.#walk(source)
        const again = await walk.run()
        bytesRead += walk.counts.bytesRead
        settled = Buffer.compare(root, again) === 0
        root = again
      }
      const ids = everyMs?.has(name) ? index.walkedIds() : undefined
      index.keepWalk()
      if (!settled) {
        walk.counts.problems++
        onProblem?.({
          source: name,
          code: 'changed',
          path: '',
          message: `still changed after ${source.settle} passes; stored as it was read last`,
        })
      }
      fileState.commit()
      const { entries, bytes, problems } = walk.counts
      const state = problems > 0 ? 'incomplete' : 'ok'
      const head = { name, state, root: Buffer.from(root).toString('hex'), entries, bytes, problems } as const
      if (ids && state === 'ok') this.#readNow.push({ head, ids, readAs: source.readAs })
      return {
        report: { name, state, entries, bytes, bytesRead, bytesNew: line.bytesNew - newBefore, problems },
        head,
      }
    } catch (error) {
      if (!(error instanceof Error && error.name === 'SourceError')) throw error
      // Whatever this source has under way must not be taken for the next one's.
      await walk.abandon()
      const { entries, bytesRead: lastRead, problems } = walk.counts
      const failure = { name, state: 'failed', entries, problems, error: error.message } as const
      return {
        report: {
          ...failure,
          bytes: 0,
          bytesRead: bytesRead + lastRead,
          bytesNew: line.bytesNew - newBefore,
        },
        head: { ...failure, entries: 0, bytes: 0 },
      }
    }
  }

  #walk(source: Source): SourceBackup {
    const { progress, force = false, onProblem, signal } = this.#run
    const { derived, index, line, state } = this.#parts
    index.beginWalk()
    return new SourceBackup({
      source,
      pool: line.pool,
      state,
      index,
      gear: createGear(derived.gearKey),
      pathKey: derived.pathKey,
      nodeIdKey: derived.nodeIdKey,
      mostlyDead: state.mostlyDead(),
      isForced: force,
      room: () => line.room(),
      roomForPiece: () => line.roomForPiece(),
      onProblem: (problem) => onProblem?.({ ...problem, source: source.name }),
      onRead: (bytes) => {
        progress.bytesRead += bytes
      },
      onEntries: (count) => {
        progress.entries += count
      },
      onUnchanged: (bytes) => {
        progress.bytesUnchanged += bytes
      },
      signal,
    })
  }
}

function failedSource(name: string, reason: unknown): SourceResult {
  const error = reason instanceof Error ? reason.message : String(reason)
  const failure = { name, state: 'failed', entries: 0, problems: 0, error } as const
  return { report: { ...failure, bytes: 0, bytesRead: 0, bytesNew: 0 }, head: { ...failure, bytes: 0 } }
}
