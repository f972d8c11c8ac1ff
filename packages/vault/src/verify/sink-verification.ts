import { type Sink, toError } from '@pipe-backup/sink'
import { toFailure } from '../failure.ts'
import { forEachLimited } from '../for-each-limited.ts'
import { decodeIndex } from '../format/index-object.ts'
import { decodeFooterContent, packKey, packNameOf } from '../format/pack-format.ts'
import { openObject } from '../format/sealed-object.ts'
import type { SnapshotHead } from '../format/snapshot-object.ts'
import { hasCode } from '../has-code.ts'
import type { DamageBook } from '../store/damage-book.ts'
import { checkGrant } from '../store/grant.ts'
import { type PackProof, StoredPackProver } from '../store/prove-stored-pack.ts'
import { readHeads } from '../store/read-heads.ts'
import { getObject } from '../store/read-sink.ts'
import { SESSION_STALE_MS } from '../store/session.ts'
import { type SinkView, viewSink } from '../store/sink-view.ts'
import { checkHeader } from './check-header.ts'
import { type DeepProver, footerDigest } from './deep-prover.ts'
import type { VerifiedSink, VerifyProblem, VerifyProgress } from './report.ts'
import { isWithin, type SampleWindow } from './sample-window.ts'
import { SinkProblems } from './sink-problems.ts'

const PACKS_AT_ONCE = 2
const INDEXES_AT_ONCE = 4

export interface SinkVerificationOptions {
  readonly vaultId: string
  readonly indexKey: Uint8Array
  readonly book: DamageBook | undefined
  readonly deep: DeepProver | undefined
  readonly progress: VerifyProgress
  readonly now: () => Date
  readonly signal?: AbortSignal | undefined
  readonly onProblem?: ((problem: VerifyProblem) => void) | undefined
}

/** The verification of one sink: first looked at, then proven, when it is known what the others show. */
export class SinkVerification {
  readonly sink: Sink
  readonly #options: SinkVerificationOptions
  readonly #problems: SinkProblems
  view: SinkView | undefined
  error: Error | undefined
  /** By key, as this sink has them. */
  heads: ReadonlyMap<string, SnapshotHead> = new Map()
  /** Names of packs, and the keys of the snapshots of this sink that need them. */
  readonly needed: Map<string, string[]> = new Map()
  /** How many bytes packs must have, by name, as far as the index objects of this sink say. */
  readonly sizes: Map<string, number> = new Map()
  /** What index objects say of packs, by the index's key: where packs are opened, too. */
  readonly #said = new Map<string, { readonly name: string; readonly footer: string }[]>()
  #packsProven = 0
  #bytesRead = 0
  #objects = 0
  #bytes = 0

  constructor(sink: Sink, options: SinkVerificationOptions) {
    this.sink = sink
    this.#options = options
    this.#problems = new SinkProblems(sink.name, options)
  }

  /** Lists the sink and opens all that is small. */
  async look(): Promise<void> {
    await this.#attempt(async () => {
      await checkHeader(this.sink, this.#problems, this.#options)
      const { indexKey, signal } = this.#options
      this.view = await viewSink(this.sink, {
        indexKey,
        signal,
        onBadTrash: (key, { message }) => this.#problems.add(key, 'corrupt', message),
      })
      const { view } = this
      this.#count(view)
      for (const key of view.truncated)
        this.#problems.add(key, 'corrupt', `${key} is cut short: it has next to no bytes`)
      this.heads = await readHeads(view, [...view.snapshots.keys()], {
        indexKey,
        signal,
        onBad: (key, { message }) => this.#problems.add(key, 'corrupt', message),
      })
      for (const key of view.snapshots.keys()) if (this.heads.has(key)) this.#problems.clear(key)
      for (const [key, { packs }] of this.heads) {
        for (const [name] of packs) {
          const users = this.needed.get(name)
          if (users) users.push(key)
          else this.needed.set(name, [key])
        }
      }
      await forEachLimited([...view.indexes.keys()], INDEXES_AT_ONCE, (key) => this.#readIndex(key))
      for (const key of view.grants.keys()) await this.#readGrant(key)
    })
  }

  /**
   * Compares with what must be there, and proves the packs of a sample.
   * @param expected - keys of the snapshots that any sink shows
   * @param grants - keys of the grants that any sink has
   */
  async prove(
    expected: readonly string[],
    grants: ReadonlySet<string>,
    sizes: ReadonlyMap<string, number>,
    window: SampleWindow,
  ): Promise<void> {
    const { view } = this
    if (!view || this.error) return
    await this.#attempt(async () => {
      for (const key of this.#isBeingWritten(view) ? [] : expected) {
        if (!view.snapshots.has(key)) this.#reportMissing(key, view)
      }
      for (const key of grants) if (!view.grants.has(key)) this.#reportMissing(key, view)
      this.#forgetSettled(new Set(expected))
      for (const [name, [snapshot]] of this.needed) {
        const key = packKey(name)
        if (!view.packs.has(name) && !view.truncated.has(key))
          this.#problems.add(key, 'missing', `${key} is missing: ${snapshot} needs it`)
      }
      const names = [...view.packs.keys()].filter((name) => isWithin(name, window)).sort()
      this.#options.progress.packsToProve += names.length
      // A wrong size is seen without reading, in every verification.
      for (const [name, { sizeBytes }] of view.packs) this.#checkSize(name, sizeBytes, sizes.get(name))
      const prover = new StoredPackProver(this.sink)
      await forEachLimited(names, PACKS_AT_ONCE, (name) => this.#provePack(name, prover))
    })
  }

  /** Compares what index objects say with the packs that were opened. @returns keys of those that are false */
  proveIndexes(): string[] {
    const { deep } = this.#options
    const isFalse = ({ name, footer }: { readonly name: string; readonly footer: string }): boolean =>
      deep?.isFooterOf(name, footer) === false
    return [...this.#said].flatMap(([key, said]) => {
      const wrong = said.find(isFalse)
      if (!wrong) return []
      this.#problems.add(
        key,
        'corrupt',
        `${key} is false: ${packKey(wrong.name)} has other chunks than it says`,
      )
      return [key]
    })
  }

  /** Whether this sink holds a pack, and nothing is known against it. */
  holdsWhole(name: string): boolean {
    const key = packKey(name)
    const { book } = this.#options
    const isDamaged = this.#problems.has(key) || (book?.of(this.sink.name).has(key) ?? false)
    return !isDamaged && (this.view?.packs.has(name) ?? false)
  }

  /** What is wrong with a snapshot as it was written: no other sink has it better. */
  reportWrong(key: string, message: string): void {
    this.#problems.add(key, 'corrupt', message, { isHealable: false })
  }

  report(): VerifiedSink {
    const problems = this.#problems.all()
    return {
      name: this.sink.name,
      state: this.error ? 'failed' : problems.length > 0 ? 'damaged' : 'ok',
      objects: this.#objects,
      bytes: this.#bytes,
      packsProven: this.#packsProven,
      bytesRead: this.#bytesRead,
      problems,
      ...(this.error && toFailure(this.error)),
    }
  }

  /** A run or a heal that goes on brings the newest snapshots to one sink after the other: what is behind for so long is not missing. */
  #isBeingWritten({ sessions }: SinkView): boolean {
    const nowMs = this.#options.now().getTime()
    return [...sessions.values()].some(({ storedAt }) => nowMs - storedAt.getTime() <= SESSION_STALE_MS)
  }

  #count({ packs, indexes, grants, snapshots, trash }: SinkView): void {
    for (const objects of [packs, indexes, grants, snapshots, trash]) {
      this.#objects += objects.size
      for (const { sizeBytes } of objects.values()) this.#bytes += sizeBytes
    }
  }

  async #readIndex(key: string): Promise<void> {
    const { indexKey, deep, signal } = this.#options
    try {
      const object = await getObject(this.sink, key, signal)
      const packs = decodeIndex(openObject(indexKey, key, object))
      for (const pack of packs) {
        decodeFooterContent(pack.footer)
        this.sizes.set(pack.name, pack.sizeBytes)
      }
      if (deep)
        this.#said.set(
          key,
          packs.map(({ name, footer }) => ({ name, footer: footerDigest(footer) })),
        )
      this.#problems.clear(key)
    } catch (error) {
      // A prune has merged it into another.
      if (hasCode(error, 'not-found')) this.view?.indexes.delete(key)
      else if (hasCode(error, 'corrupt')) this.#problems.add(key, 'corrupt', `${key} is damaged`)
      else throw error
    }
  }

  async #readGrant(key: string): Promise<void> {
    try {
      checkGrant(key, await getObject(this.sink, key, this.#options.signal))
      this.#problems.clear(key)
    } catch (error) {
      if (hasCode(error, 'not-found')) this.view?.grants.delete(key)
      else if (hasCode(error, 'corrupt')) this.#problems.add(key, 'corrupt', `${key} is damaged`)
      else throw error
    }
  }

  #checkSize(name: string, sizeBytes: number, expected: number | undefined): void {
    if (expected === undefined || expected === sizeBytes) return
    const key = packKey(name)
    this.#problems.add(key, 'corrupt', `${key} is damaged: it has ${sizeBytes} bytes, not ${expected}`)
  }

  async #provePack(name: string, prover: StoredPackProver): Promise<void> {
    const { deep, signal, progress } = this.#options
    const key = packKey(name)
    if (this.#problems.has(key)) return
    let proof: PackProof
    try {
      const isToBeOpened = deep !== undefined && !deep.isDone(name)
      proof = isToBeOpened ? await prover.read(name, signal) : await prover.prove(name, signal)
    } catch (error) {
      signal?.throwIfAborted()
      if (hasCode(error, 'not-found')) await this.#gone(name)
      else if (hasCode(error, 'corrupt'))
        this.#problems.add(key, 'corrupt', `${key} is damaged: ${messageOf(error)}`)
      else throw error
      return
    }
    this.#bytesRead += proof.bytesRead
    progress.bytesRead += proof.bytesRead
    progress.packs++
    if (!proof.isWhole) {
      this.#problems.add(
        key,
        'corrupt',
        `${key} is damaged: its bytes do not have the SHA-256 that is its name`,
      )
      return
    }
    const wrong = proof.pack && (await deep?.prove(name, proof.pack))
    if (wrong !== undefined) {
      this.#problems.add(key, 'corrupt', `${key} was written wrong: ${wrong}`)
      return
    }
    this.#packsProven++
    this.#problems.clear(key)
  }

  #reportMissing(key: string, { truncated }: SinkView): void {
    if (!truncated.has(key)) this.#problems.add(key, 'missing', `${key} is missing: another sink has it`)
  }

  /** What the book says of objects that are gone and that nothing needs any more. */
  #forgetSettled(expected: ReadonlySet<string>): void {
    const { book } = this.#options
    const { view, needed } = this
    if (!book || !view) return
    for (const key of book.of(this.sink.name).keys()) {
      const name = packNameOf(key)
      const isThere =
        view.truncated.has(key) || view.indexes.has(key) || view.grants.has(key) || this.#problems.has(key)
      const isWanted = name === undefined ? expected.has(key) : needed.has(name) || view.packs.has(name)
      if (!isThere && !isWanted) book.clear(this.sink.name, key)
    }
  }

  /** Listed, and gone now: a prune may have deleted it, if nothing needs it. */
  async #gone(name: string): Promise<void> {
    this.view?.packs.delete(name)
    const [snapshot] = this.needed.get(name) ?? []
    const { signal } = this.#options
    if (snapshot === undefined || !(await this.sink.head(snapshot, { signal }))) return
    this.#problems.add(packKey(name), 'missing', `${packKey(name)} is missing: ${snapshot} needs it`)
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      this.error = toError(error)
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
