import {
  type BigIntStats,
  chmodSync,
  chownSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  utimesSync,
} from 'node:fs'
import { ACCESS_ACL, type Entry, type EntryMetadata, type SourceProblem } from '@pipe-backup/source'
import { modeWithout } from './access-acl.ts'
import { AttributeWriter } from './attributes.ts'
import { Owners } from './owners.ts'
import { attempt, type Refusal, Refusals, withoutSetIds } from './refusals.ts'
import type { PlainMetadata } from './small-file.ts'
import { isSameTime, isUncommon, toTime } from './times.ts'

/** Gives what was written its owner, attributes, mode and time. */
export class MetadataWriter {
  readonly #ownership: boolean
  readonly #owners = new Owners()
  readonly #attributes: AttributeWriter
  readonly #refusals = new Refusals()
  /** Entries whose time the file system can't hold. */
  readonly #unsetTimes = { first: '', count: 0 }

  private constructor(ownership: boolean, attributes: AttributeWriter) {
    this.#ownership = ownership
    this.#attributes = attributes
  }

  /** @param ownership - set owners, set-id bits, file capabilities and `trusted.*` attributes */
  static async load(ownership: boolean): Promise<MetadataWriter> {
    return new MetadataWriter(ownership, await AttributeWriter.load(ownership))
  }

  /** A line for each reason why metadata is missing. */
  *problems(): Generator<SourceProblem> {
    yield* this.#attributes.problems()
    yield* this.#refusals.problems()
    if (this.#unsetTimes.count > 0) yield timeProblem(this.#unsetTimes)
  }

  /** As `set`, for a symbolic link, which has no mode. */
  setOfLink(path: Buffer, entry: Entry): void {
    this.#setOwner(entry, (uid, gid) => lchownSync(path, uid, gid))
    this.#attributes.set(path, entry, 'made')
    this.#setTime(entry, (time) => lutimesSync(path, time, time))
    this.#checkTime(entry, () => lstatSync(path, { bigint: true }))
  }

  /** Whether a file that is left has other metadata than its entry, as far as a look shows. */
  isOtherwise(there: BigIntStats, entry: Entry): boolean {
    if (entry.type === 'hardlink') return false
    return (
      (there.mode & 0o7777n) !== BigInt(this.#mode(entry)) ||
      (this.#ownership &&
        (there.uid !== BigInt(this.#owners.uid(entry)) || there.gid !== BigInt(this.#owners.gid(entry)))) ||
      (entry.attributes?.length ?? 0) > 0
    )
  }

  /** In this order: chown takes set-id bits and capabilities away, and a mode set before its control list would let the group in. */
  set(path: Buffer, entry: Entry, kind: 'made' | 'kept'): void {
    const isOwned = this.#setOwner(entry, (uid, gid) => chownSync(path, uid, gid))
    this.#setMode(entry, this.#setAttributes(path, entry, kind), isOwned, (mode) => chmodSync(path, mode))
    this.#setTime(entry, (time) => utimesSync(path, time, time))
    this.#checkTime(entry, () => lstatSync(path, { bigint: true }))
  }

  /** As `set`, through the file that is open, as far as that can be done. */
  setOfFile(file: number, path: Buffer, entry: Entry): void {
    const isOwned = this.#setOwner(entry, (uid, gid) => fchownSync(file, uid, gid))
    this.#setMode(entry, this.#setAttributes(path, entry, 'made'), isOwned, (mode) => fchmodSync(file, mode))
    this.#setTime(entry, (time) => futimesSync(file, time, time))
    this.#checkTime(entry, () => fstatSync(file, { bigint: true }))
  }

  /** Whether a file needs no attributes set or taken away, and has a time that every file system has. */
  isPlain(path: Buffer, { attributes, mtimeNs }: Entry): boolean {
    return (attributes?.length ?? 0) === 0 && !isUncommon(mtimeNs) && !this.#attributes.inherits(path)
  }

  /** What such a file gets. */
  plainOf(entry: Entry): PlainMetadata {
    const owner = this.#ownership ? { uid: this.#owners.uid(entry), gid: this.#owners.gid(entry) } : undefined
    return { mode: this.#mode(entry), owner, mtimeNs: entry.mtimeNs }
  }

  /** Counts what was refused to an entry. */
  refused(path: Uint8Array, refusal: Refusal): void {
    this.#refusals.add(path, refusal)
  }

  /** @returns false when it was refused */
  #setOwner(entry: Entry, set: (uid: number, gid: number) => void): boolean {
    if (!this.#ownership) return true
    return this.#attempt(entry, 'owner', () => set(this.#owners.uid(entry), this.#owners.gid(entry)))
  }

  #setMode(entry: Entry, mode: number, isOwned: boolean, set: (mode: number) => void): void {
    this.#attempt(entry, 'mode', () => set(isOwned ? mode : withoutSetIds(mode)))
  }

  #setTime(entry: Entry, set: (time: ReturnType<typeof toTime>) => void): void {
    this.#attempt(entry, 'modification time', () => set(toTime(entry.mtimeNs)))
  }

  #attempt(entry: Entry, what: Refusal['what'], set: () => void): boolean {
    const refusal = attempt(what, set)
    if (refusal) this.refused(entry.path, refusal)
    return refusal === undefined
  }

  /** File systems set the nearest time that they have, and say nothing. */
  #checkTime(entry: Entry, look: () => BigIntStats): void {
    if (!isUncommon(entry.mtimeNs) || isSameTime(look().mtimeNs, entry.mtimeNs)) return
    if (this.#unsetTimes.count++ === 0) this.#unsetTimes.first = Buffer.from(entry.path).toString()
  }

  /** @returns the mode that is to be set then */
  #setAttributes(path: Buffer, entry: Entry, kind: 'made' | 'kept'): number {
    const mode = this.#mode(entry)
    if (this.#attributes.set(path, entry, kind) !== false) return mode
    const list = entry.attributes?.find(({ name }) => Buffer.from(name).toString() === ACCESS_ACL)
    return list ? modeWithout(list.value, mode) : mode
  }

  #mode(entry: EntryMetadata): number {
    return this.#ownership ? entry.mode : withoutSetIds(entry.mode)
  }
}

function timeProblem({ first, count }: { readonly first: string; readonly count: number }): SourceProblem {
  const where = count === 1 ? '' : ` of ${count} entries, this the first`
  const message = `not restored: the modification time${where}: the file system has no such time, and got the nearest`
  return { code: 'unreadable', path: first, message }
}
