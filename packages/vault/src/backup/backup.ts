import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createGear } from '@pipe-backup/chunker'
import { sealTo } from '@pipe-backup/crypto'
import type { Sink } from '@pipe-backup/sink'
import type { Source } from '@pipe-backup/source'
import { type FanOut, type FanOutResult, fanOut } from '@pipe-backup/tee'
import { ChunkKind } from '../chunk-codec.ts'
import type { ChunkIndex } from '../chunk-index.ts'
import { DamageBook } from '../damage-book.ts'
import { bringPacks } from '../heal/bring-packs.ts'
import { levelSinks } from '../heal/level-sinks.ts'
import { encodeIndex, type IndexedPack } from '../index-object.ts'
import { decodeFooterContent, encodePackHeader, packKey, runKeyId } from '../pack-format.ts'
import { isBeingPruned } from '../prune/is-being-pruned.ts'
import type { FinishedPack } from '../seal/pack-writer.ts'
import { poolBytes, SealPool } from '../seal/seal-pool.ts'
import { sealObject } from '../sealed-object.ts'
import { VaultSession } from '../session.ts'
import { type SinkView, viewSink } from '../sink-view.ts'
import { type SnapshotHead, type SnapshotSource, sealSnapshot, snapshotKey } from '../snapshot-object.ts'
import { VaultError } from '../vault-error.ts'
import { requireVault } from '../vault-header.ts'
import { type DerivedKeys, derivedKeys, type VaultHost } from '../vault-host.ts'
import { type CarriedSource, CarriedSources } from './carried-sources.ts'
import { checkArrived } from './check-arrived.ts'
import { FileState } from './file-state.ts'
import { loadIndex } from './load-index.ts'
import {
  type BackupProblem,
  type BackupProgress,
  type BackupReport,
  createProgress,
  type SinkReport,
  type SourceReport,
} from './report.ts'
import { SLAB_BYTES, SourceBackup } from './source-backup.ts'

const WINDOW_BYTES = 256 * 1024 * 1024
/** However small the window: a pack for each that is sent, and one that waits. */
const LEAST_TEE_BYTES = 64 * 1024 * 1024
const DETACH_AFTER_MS = 30_000
/** Packs that one sink is sent at the same time. */
const PACKS_AT_ONCE = 2

export interface BackupOptions {
  readonly host: VaultHost
  readonly hostName: string
  /** Name and version of the program, for the snapshot. */
  readonly program: string
  readonly sources: readonly Source[]
  readonly sinks: readonly Sink[]
  /** How many sinks must hold the snapshot for the run to have succeeded. */
  readonly copies: number
  /** Sources, by name, that are read no more often than this, in milliseconds; between, the snapshot has them as they were read last. */
  readonly everyMs?: ReadonlyMap<string, number>
  /** Called before a source is read. @throws SourceError when it is not to be: the source has failed */
  readonly beforeSource?: (name: string) => Promise<void>
  /** Called when a source was read, or failed, or its `beforeSource` did. What it throws is told as a problem of the source. */
  readonly afterSource?: (report: SourceReport) => Promise<void>
  /** For this host's caches; made when missing, mode 0700. */
  readonly stateDirectory: string
  /** How much of the data may be in memory at once, in bytes. Default 256 MiB; below 184 MiB is taken as that. */
  readonly windowBytes?: number
  /** How long a full window is waited for before the slowest sink is left behind. Default 30 s. */
  readonly detachAfterMs?: number
  readonly now?: () => Date
  readonly signal?: AbortSignal
  /** Kept up to date while it runs. */
  readonly progress?: BackupProgress
  readonly onProblem?: (problem: BackupProblem) => void
  /** @param sink - undefined when it is no single sink's */
  readonly onSinkProblem?: (sink: string | undefined, error: Error) => void
}

/** A sink in this run. */
interface Place {
  readonly sink: Sink
  view: SinkView | undefined
  state: 'ok' | 'detached' | 'failed'
  error: Error | undefined
  bytesSent: number
  healed: number
  /** Packs that were put there, and their lengths. */
  readonly sent: Map<string, number>
}

interface SourceResult {
  readonly report: SourceReport
  readonly head: SnapshotSource
}

/**
 * Backs the sources up: reads them once, seals once, and sends the packs to all the sinks at once. A source or sink that fails does
 * not stop the others; what became of each is in the report. Only when it turns out in the end that an older pack, which was to be used
 * again, is whole nowhere, everything is read a second time, and what was in that pack stored anew.
 * @throws the abort's reason; VaultError `fault`; the first sink's error when no sink can be used
 */
export async function backup(options: BackupOptions): Promise<BackupReport> {
  const mayRepeat = !options.sources.some(({ once }) => once)
  const first = await performRun(options, mayRepeat)
  if (!first.isToRepeat) return first.report
  const second = await performRun(options, false)
  return bothReports(first.report, second.report)
}

async function performRun(
  options: BackupOptions,
  mayRepeat: boolean,
): Promise<{ report: BackupReport; isToRepeat: boolean }> {
  const run = await Run.prepare(options, mayRepeat)
  try {
    const report = await run.perform()
    return { report, isToRepeat: run.isToRepeat }
  } finally {
    await run.close()
  }
}

/** The second one's outcome, with what both have sent. */
function bothReports(first: BackupReport, second: BackupReport): BackupReport {
  return {
    ...second,
    sinks: second.sinks.map((sink) => {
      const { bytesSent = 0, healed = 0 } = first.sinks.find(({ name }) => name === sink.name) ?? {}
      return { ...sink, bytesSent: sink.bytesSent + bytesSent, healed: sink.healed + healed }
    }),
    bytesStored: first.bytesStored + second.bytesStored,
    seconds: first.seconds + second.seconds,
  }
}

class Run {
  readonly #options: BackupOptions
  readonly #progress: BackupProgress
  readonly #started: Date
  readonly #startedAt = performance.now()
  readonly #session: VaultSession
  readonly #places: Place[]
  readonly #derived: DerivedKeys
  #state: FileState | undefined
  #book!: DamageBook
  #carried!: CarriedSources
  readonly #carriedNow: CarriedSource[] = []
  /** Sources that may be carried later, and the ids of their chunks. */
  readonly #readNow: { readonly head: SnapshotSource; readonly ids: Buffer }[] = []
  #index!: ChunkIndex
  #toList: IndexedPack[] = []
  #pool: SealPool | undefined
  #fan: FanOut<FinishedPack> | undefined
  #pushing: Promise<void> = Promise.resolve()
  #notPushed = 0
  #pushError: Error | undefined
  #lost: VaultError | undefined
  readonly #mayRepeat: boolean
  #isToRepeat = false
  #bytesStored = 0
  #bytesNew = 0

  private constructor(options: BackupOptions, derived: DerivedKeys, mayRepeat: boolean) {
    this.#options = options
    this.#mayRepeat = mayRepeat
    this.#derived = derived
    this.#progress = options.progress ?? createProgress()
    this.#started = (options.now ?? (() => new Date()))()
    const { host, hostName } = options
    this.#session = new VaultSession({
      indexKey: host.keys.indexKey,
      record: { host: hostName, hostId: host.hostId, started: this.#started.toISOString(), kind: 'backup' },
    })
    this.#places = options.sinks.map((sink) => ({
      sink,
      view: undefined,
      state: 'ok',
      error: undefined,
      bytesSent: 0,
      healed: 0,
      sent: new Map(),
    }))
    this.#progress.sinks = this.#places.map(({ sink }) => ({
      name: sink.name,
      state: 'ok',
      bytesSent: 0,
      queuedBytes: 0,
    }))
  }

  static async prepare(options: BackupOptions, mayRepeat: boolean): Promise<Run> {
    return new Run(options, await derivedKeys(options.host.keys), mayRepeat)
  }

  /** Whether it came to nothing because it rested on a pack that is whole nowhere: another run will not. */
  get isToRepeat(): boolean {
    return this.#isToRepeat
  }

  async perform(): Promise<BackupReport> {
    await this.#openSinks()
    await this.#loadState()
    await this.#startEngine()
    const sources: SourceResult[] = []
    for (const source of this.#options.sources) sources.push(await this.#backUp(source))
    await this.#sendAll()
    const good = sources.some(({ head }) => head.root !== undefined)
    const id = good ? await this.#commit(sources.map(({ head }) => head)) : null
    this.#state?.commit(this.#index.mostlyDead())
    if (id !== null) await this.#keepForLater()
    return this.#report(
      id,
      sources.map(({ report }) => report),
    )
  }

  async close(): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]()
    this.#state?.[Symbol.dispose]()
    await this.#session[Symbol.asyncDispose]()
  }

  // --- before

  async #openSinks(): Promise<void> {
    const { host, stateDirectory, signal } = this.#options
    this.#book = await DamageBook.open(stateDirectory)
    await Promise.all(
      this.#places.map(async (place) => {
        try {
          // A sink that holds another vault is none of ours to write to.
          await requireVault(place.sink, host.vaultId, signal)
          // Before it is looked at: a prune that condemns something after this sees us.
          await this.#session.join(place.sink, signal)
          this.#count(place, this.#session.sizeBytes)
          const badTrash = new Map<string, VaultError>()
          const view = await viewSink(place.sink, {
            indexKey: host.keys.indexKey,
            ...(signal && { signal }),
            onBadTrash: (key, error) => badTrash.set(key, error),
          })
          await this.#forgetTrash(place, view, badTrash)
          this.#book.strike(view)
          // From now on it is one to commit to.
          place.view = view
        } catch (error) {
          this.#fail(place, error)
        }
      }),
    )
    signal?.throwIfAborted()
    if (this.#working().length === 0)
      throw this.#places[0]?.error ?? new VaultError('too-few-copies', 'no sink is configured')
  }

  /**
   * Removes damaged trash objects. What they condemned is then not condemned, until the next prune: packs may rest on it, for nobody
   * is there who would delete it.
   * @throws the first object's error while a prune goes on, which may have read it when it was whole
   */
  async #forgetTrash(place: Place, view: SinkView, bad: ReadonlyMap<string, VaultError>): Promise<void> {
    const [first] = bad.values()
    if (!first) return
    const { host, signal, onSinkProblem } = this.#options
    if (await isBeingPruned(view, host.keys.indexKey, this.#session.id, signal)) throw first
    const refused = await place.sink.deleteMany([...bad.keys()], { ...(signal && { signal }) })
    for (const error of refused.values()) throw error
    place.healed += bad.size
    const { name } = place.sink
    for (const [key, { code }] of bad)
      onSinkProblem?.(
        name,
        new VaultError(code, `sink "${name}": ${key} was damaged, and is removed`, { sink: name, key }),
      )
  }

  async #loadState(): Promise<void> {
    const { host, stateDirectory, signal } = this.#options
    this.#state = new FileState(stateDirectory, host.vaultId)
    this.#carried = await CarriedSources.open(stateDirectory, host.vaultId)
    const { index, unlisted } = await loadIndex({
      views: this.#views(),
      indexKey: host.keys.indexKey,
      hostId: host.hostId,
      cacheDirectory: join(stateDirectory, 'index'),
      onProblem: (sink, error) => this.#options.onSinkProblem?.(sink, error),
      ...(signal && { signal }),
    })
    this.#index = index
    this.#toList.push(...unlisted)
  }

  async #startEngine(): Promise<void> {
    const { host, windowBytes = WINDOW_BYTES, detachAfterMs = DETACH_AFTER_MS, signal } = this.#options
    const runKey = randomBytes(32)
    const boxes = await Promise.all(
      [host.keys.publicKey, ...host.recipients].map((recipient) => sealTo(recipient, runKey)),
    )
    const header = encodePackHeader([{ id: runKeyId(runKey), boxes }])
    const { idKey, indexKey } = host.keys
    const { nodeIdKey } = this.#derived
    this.#fan = fanOut<FinishedPack>(
      this.#working().map((place) => ({
        name: place.sink.name,
        concurrency: PACKS_AT_ONCE,
        write: (pack, writing) => this.#sendPack(place, pack, writing),
      })),
      {
        // The window is all that a run may hold: what is being filled is a part of it.
        windowBytes: Math.max(windowBytes - poolBytes(SLAB_BYTES), LEAST_TEE_BYTES),
        sizeOf: (pack) => pack.buffer.byteLength,
        onRelease: (pack) => this.#pool?.recycle(pack.buffer),
        detachAfterMs,
        ...(signal && { signal }),
      },
    )
    this.#pool = new SealPool({
      keys: { runKey, idKey, nodeIdKey, indexKey, header, hostId: Buffer.from(host.hostId, 'hex') },
      slabBytes: SLAB_BYTES,
      wanted: (pieces, ids) => this.#choose(pieces, ids),
      onPack: (pack) => this.#takePack(pack),
      ...(signal && { signal }),
    })
  }

  // --- reading

  async #backUp(source: Source): Promise<SourceResult> {
    const carried = this.#carry(source)
    if (carried) return carried
    let result: SourceResult
    try {
      await this.#options.beforeSource?.(source.name)
      result = await this.#read(source)
    } catch (error) {
      const failed = failedSource(source.name, error)
      if (error instanceof Error && error.name === 'SourceError') return await this.#after(failed)
      // The run has failed, or is stopped: who prepared something for the source is told all the same.
      await this.#after(failed).catch(() => undefined)
      throw error
    }
    return await this.#after(result)
  }

  async #after(result: SourceResult): Promise<SourceResult> {
    const { report } = result
    try {
      await this.#options.afterSource?.(report)
      return result
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#options.onProblem?.({ source: report.name, code: 'skipped', path: '', message })
      return { ...result, report: { ...report, problems: report.problems + 1 } }
    }
  }

  /** A source that is not due, as it was read last. */
  #carry({ name }: Source): SourceResult | undefined {
    const everyMs = this.#options.everyMs?.get(name)
    if (everyMs === undefined) return undefined
    const carried = this.#carried.find(name, everyMs, this.#started, this.#views())
    if (!carried) return undefined
    this.#carriedNow.push(carried)
    const { state, entries, problems, takenAt } = carried.head
    return {
      report: { name, state, entries, bytesRead: 0, bytesNew: 0, problems, takenAt },
      head: carried.head,
    }
  }

  /** Remembers where the chunks are of the sources that need not be read each time. */
  async #keepForLater(): Promise<void> {
    for (const { head, ids } of this.#readNow) {
      const packs = [...this.#index.packsOf(ids)].map(
        ([name, bits]) => [name, bits.toString('base64')] as const,
      )
      this.#carried.set({ head: { ...head, takenAt: this.#started.toISOString() }, packs })
    }
    // Without it the sources are read again: no reason for a run to fail.
    if (this.#readNow.length > 0) await this.#carried.save().catch(() => undefined)
  }

  async #read(source: Source): Promise<SourceResult> {
    this.#progress.phase = 'reading'
    this.#progress.source = source.name
    const newBefore = this.#bytesNew
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
      const ids = this.#options.everyMs?.has(source.name) ? this.#index.walkedIds() : undefined
      this.#index.keepWalk()
      if (!settled) {
        walk.counts.problems++
        this.#options.onProblem?.({
          source: source.name,
          code: 'changed',
          path: '',
          message: `still changed after ${source.settle} passes; stored as it was read last`,
        })
      }
      this.#state?.commit()
      const { entries, bytes, problems } = walk.counts
      const state = problems > 0 ? 'incomplete' : 'ok'
      const head = {
        name: source.name,
        state,
        root: Buffer.from(root).toString('hex'),
        entries,
        bytes,
        problems,
      } as const
      if (ids && state === 'ok') this.#readNow.push({ head, ids })
      return {
        report: {
          name: source.name,
          state,
          entries,
          bytesRead,
          bytesNew: this.#bytesNew - newBefore,
          problems,
        },
        head,
      }
    } catch (error) {
      if (!(error instanceof Error && error.name === 'SourceError')) throw error
      // Whatever this source has under way must not be taken for the next one's.
      await walk.abandon()
      const { entries, bytesRead: lastRead, problems } = walk.counts
      const failure = { name: source.name, state: 'failed', entries, problems, error: error.message } as const
      return {
        report: { ...failure, bytesRead: bytesRead + lastRead, bytesNew: this.#bytesNew - newBefore },
        head: { ...failure, entries: 0, bytes: 0 },
      }
    }
  }

  #walk(source: Source): SourceBackup {
    const { signal, onProblem } = this.#options
    const [pool, state] = [this.#pool, this.#state]
    if (!pool || !state) throw new Error('the run has not been prepared')
    this.#index.beginWalk()
    return new SourceBackup({
      source,
      pool,
      state,
      index: this.#index,
      gear: createGear(this.#derived.gearKey),
      pathKey: this.#derived.pathKey,
      nodeIdKey: this.#derived.nodeIdKey,
      mostlyDead: state.mostlyDead(),
      room: () => this.#room(),
      onProblem: (problem) => onProblem?.({ ...problem, source: source.name }),
      onRead: (bytes) => {
        this.#progress.bytesRead += bytes
      },
      onEntry: () => {
        this.#progress.entries++
      },
      ...(signal && { signal }),
    })
  }

  /** Says which pieces of a slab are new. Manifest nodes come here only when they are. */
  #choose(pieces: readonly { kind: ChunkKind; length: number }[], ids: readonly Uint8Array[]): number[] {
    const wanted: number[] = []
    for (const [i, piece] of pieces.entries()) {
      const id = ids[i]
      if (!id) continue
      if (piece.kind === ChunkKind.data) {
        if (this.#index.has(id)) continue
        this.#index.addPending(id, piece.kind, piece.length)
      }
      wanted.push(i)
      this.#bytesNew += piece.length
      this.#progress.bytesNew += piece.length
    }
    return wanted
  }

  // --- sending

  #takePack(pack: FinishedPack): void {
    for (const [i, chunk] of decodeFooterContent(pack.footer).chunks.entries()) {
      this.#index.addPacked(chunk.id, chunk.kind, chunk.rawLength, pack.name, i)
    }
    this.#toList.push({ name: pack.name, sizeBytes: pack.length, footer: pack.footer })
    this.#bytesStored += pack.length
    this.#notPushed++
    this.#pushing = this.#pushing
      .then(() => this.#fan?.push(pack))
      .then(
        () => {
          this.#notPushed--
        },
        (error: unknown) => {
          this.#notPushed--
          this.#pushError ??= error instanceof Error ? error : new Error(String(error))
        },
      )
  }

  /** Back-pressure: reading goes on when every finished pack has found room in the window. */
  async #room(): Promise<void> {
    while (this.#notPushed > 0) await this.#pushing
    if (this.#pushError !== undefined) throw this.#pushError
  }

  async #sendPack(place: Place, pack: FinishedPack, signal: AbortSignal): Promise<void> {
    await place.sink.put(packKey(pack.name), new Uint8Array(pack.buffer, 0, pack.length), { signal })
    place.view?.packs.set(pack.name, { sizeBytes: pack.length, storedAt: this.#started })
    place.sent.set(pack.name, pack.length)
    this.#count(place, pack.length)
  }

  async #sendAll(): Promise<void> {
    this.#progress.phase = 'sending'
    await this.#pool?.flush()
    await this.#room()
    const results: FanOutResult[] = (await this.#fan?.end()) ?? []
    this.#options.signal?.throwIfAborted()
    for (const result of results) {
      const place = this.#places.find(({ sink }) => sink.name === result.name)
      if (!place || result.state === 'ok') continue
      place.state = result.state
      place.error = result.error instanceof Error ? result.error : undefined
      if (place.error) this.#options.onSinkProblem?.(place.sink.name, place.error)
    }
  }

  // --- committing

  /** Packs, index, snapshot: on each sink in this order, so that what it shows is whole. @returns the snapshot's id */
  async #commit(sources: readonly SnapshotSource[]): Promise<string | null> {
    const { host, hostName, program } = this.#options
    const live = this.#index.livePacks()
    for (const { packs } of this.#carriedNow) {
      for (const [name, bitmap] of packs) live.set(name, union(live.get(name), Buffer.from(bitmap, 'base64')))
    }
    const id = randomBytes(8).toString('hex')
    const key = snapshotKey(this.#started, id)
    const head: SnapshotHead = {
      version: 1,
      id,
      time: this.#started.toISOString(),
      host: hostName,
      hostId: host.hostId,
      program,
      sources,
      packs: [...live]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, bitmap]) => [name, bitmap.toString('base64')]),
    }
    const snapshot = sealSnapshot(host.keys.indexKey, key, head)
    const indexKeyName = `index/${randomBytes(16).toString('hex')}`
    const index =
      this.#toList.length > 0
        ? sealObject(host.keys.indexKey, indexKeyName, encodeIndex(this.#toList))
        : undefined
    const needed = new Set(live.keys())
    const wanted = new Set(this.#toList.map(({ name }) => name))

    // Sinks that missed nothing first: those behind are healed from them.
    const behind = (place: Place) => [...needed].filter((name) => !place.view?.packs.has(name)).length
    const ordered = this.#places.filter(({ view }) => view).sort((a, b) => behind(a) - behind(b))
    const held: Place[] = []
    for (const place of ordered) {
      if (this.#isToRepeat) break
      try {
        await this.#bring(place, needed, wanted)
        this.#progress.phase = 'committing'
        if (index) await this.#put(place, indexKeyName, index)
        await this.#put(place, key, snapshot)
        place.state = 'ok'
        place.error = undefined
        held.push(place)
      } catch (error) {
        this.#options.signal?.throwIfAborted()
        this.#fail(place, error, place.state === 'detached' ? 'detached' : 'failed')
      }
    }
    await this.#book.save()
    if (this.#isToRepeat) {
      // It rests on what is whole nowhere. Where it can't be taken back, verify will tell of it.
      await Promise.allSettled(held.map(({ sink }) => sink.delete(key)))
      return null
    }
    if (held.length > 0) await this.#level()
    return held.length > 0 ? id : null
  }

  async #bring(place: Place, needed: ReadonlySet<string>, wanted: ReadonlySet<string>): Promise<void> {
    const { signal, onSinkProblem } = this.#options
    if (!place.view) return
    this.#progress.phase = 'healing'
    const rotten = new Set<string>()
    const brought = await bringPacks(place.view, this.#views(), {
      needed,
      wanted,
      damaged: this.#book.of(place.sink.name),
      onProblem: (sink, error) => {
        onSinkProblem?.(sink, error)
        if (!(error instanceof VaultError) || error.key === undefined) return
        // The next reading does not rest on it.
        this.#book.add(sink, error.key, 'corrupt', this.#started)
        rotten.add(error.key)
      },
      ...(signal && { signal }),
    }).catch((error: unknown) => {
      // One that could not be reached may have it whole: only what has been seen to be rotten is lost.
      const isLost = error instanceof VaultError && error.code === 'missing' && rotten.has(error.key ?? '')
      this.#isToRepeat = isLost && this.#mayRepeat
      throw error
    })
    place.healed += brought.size
    for (const [name, sizeBytes] of brought) {
      place.sent.set(name, sizeBytes)
      this.#count(place, sizeBytes)
    }
    await checkArrived(place.sink, place.sent, {
      ...(signal && { signal }),
      onBad: (name, why) => {
        place.view?.packs.delete(name)
        this.#book.add(place.sink.name, packKey(name), why, this.#started)
      },
    })
  }

  /** What older runs could not bring to a sink, and what verifications have found damaged. */
  async #level(): Promise<void> {
    const { host, signal, onSinkProblem, now = () => new Date() } = this.#options
    this.#progress.phase = 'healing'
    const { results, lost } = await levelSinks({
      views: this.#views(),
      targets: this.#working().flatMap(({ view }) => view ?? []),
      indexKey: host.keys.indexKey,
      book: this.#book,
      thorough: false,
      mayForgetTrash: () => false,
      now,
      onProblem: (sink, error) => onSinkProblem?.(sink, error),
      ...(signal && { signal }),
    })
    for (const { sink, packs, objects, bytes, error } of results) {
      const place = this.#places.find((candidate) => candidate.sink.name === sink)
      if (!place) continue
      place.healed += packs + objects
      this.#count(place, bytes)
      if (!error) continue
      place.error = error
      onSinkProblem?.(sink, error)
    }
    for (const { key, snapshots } of lost) {
      const message = `${key} is whole on no sink: snapshots that need it can't be restored in full: ${snapshots.join(', ')}`
      this.#lost ??= new VaultError('missing', message, { key })
      onSinkProblem?.(undefined, new VaultError('missing', message, { key }))
    }
  }

  // --- bookkeeping

  #report(snapshot: string | null, sources: readonly SourceReport[]): BackupReport {
    this.#progress.phase = 'done'
    const copies = snapshot === null ? 0 : this.#places.filter(({ state }) => state === 'ok').length
    const sinks: SinkReport[] = this.#places.map(({ sink, state, bytesSent, healed, error }) => ({
      name: sink.name,
      state,
      bytesSent,
      healed,
      ...(error && { error: error.message }),
    }))
    const clean =
      this.#lost === undefined &&
      sinks.every(({ state, error }) => state === 'ok' && error === undefined) &&
      sources.every(({ state, problems }) => state === 'ok' && problems === 0)
    const exitCode = snapshot === null || copies < this.#options.copies ? 1 : clean ? 0 : 3
    const seconds = Math.round(performance.now() - this.#startedAt) / 1000
    return { snapshot, copies, sources, sinks, bytesStored: this.#bytesStored, seconds, exitCode }
  }

  #working(): Place[] {
    return this.#places.filter(({ view, state }) => view && state === 'ok')
  }

  #views(): SinkView[] {
    return this.#places.flatMap(({ view }) => view ?? [])
  }

  async #put(place: Place, key: string, bytes: Uint8Array): Promise<void> {
    const { signal } = this.#options
    await place.sink.put(key, bytes, { ...(signal && { signal }) })
    this.#count(place, bytes.length)
  }

  #count(place: Place, bytes: number): void {
    place.bytesSent += bytes
    const shown = this.#progress.sinks[this.#places.indexOf(place)]
    if (shown) {
      shown.bytesSent = place.bytesSent
      shown.state = place.state
    }
  }

  #fail(place: Place, reason: unknown, state: 'failed' | 'detached' = 'failed'): void {
    place.state = state
    place.error = reason instanceof Error ? reason : new Error(String(reason))
    this.#options.onSinkProblem?.(place.sink.name, place.error)
    this.#count(place, 0)
  }
}

function failedSource(name: string, reason: unknown): SourceResult {
  const error = reason instanceof Error ? reason.message : String(reason)
  const failure = { name, state: 'failed', entries: 0, problems: 0, error } as const
  return { report: { ...failure, bytesRead: 0, bytesNew: 0 }, head: { ...failure, bytes: 0 } }
}

/** The bits that either of two bitmaps has. */
function union(one: Buffer | undefined, other: Buffer): Buffer {
  if (!one) return other
  const all = Buffer.alloc(Math.max(one.length, other.length))
  for (let i = 0; i < all.length; i++) all[i] = (one[i] ?? 0) | (other[i] ?? 0)
  return all
}
