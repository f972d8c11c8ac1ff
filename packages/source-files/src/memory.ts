import { displayPath } from './display-path.ts'
import type { Failure } from './failure.ts'
import type { FilesNote } from './files.ts'
import type { Outcome } from './outcome.ts'

/** Where a source keeps what it saw, from one walk to the next. */
export interface FilesMemory {
  /** What was kept last; `undefined` when there is nothing, or it was lost. */
  read(): Promise<unknown>
  /** @param content - what JSON can hold */
  write(content: FilesSeen): Promise<void>
}

/** A configured path when there was something in it last. */
export interface SeenPath {
  readonly entries: number
  readonly isMountPoint: boolean
}

/** What a walk has seen. */
export interface FilesSeen {
  /** By path, one character for each byte. */
  readonly paths: Readonly<Record<string, SeenPath>>
  readonly entries: number
  readonly bytes: number
  readonly caches: readonly string[]
  readonly unmatched: readonly string[]
}

/** What is left must be less than this part of what was. */
const SHRUNK = 0.1
/** Less than this can come and go as it likes. */
const MIN_ENTRIES = 10
const MIN_BYTES: number = 1024 * 1024

/** @returns what `FilesMemory.write` was given; `undefined` when it is anything else */
export function parseSeen(value: unknown): FilesSeen | undefined {
  if (!isObject(value)) return undefined
  const { paths, entries, bytes, caches, unmatched } = value
  if (!isObject(paths) || typeof entries !== 'number' || typeof bytes !== 'number') return undefined
  const seen = new Map<string, SeenPath>()
  for (const [path, one] of Object.entries(paths)) {
    if (!isObject(one) || typeof one['entries'] !== 'number') return undefined
    seen.set(path, { entries: one['entries'], isMountPoint: one['isMountPoint'] === true })
  }
  return {
    paths: Object.fromEntries(seen),
    entries,
    bytes,
    caches: texts(caches),
    unmatched: texts(unmatched),
  }
}

/** What is odd about a walk, beside the last one. */
export interface Judgement {
  /** Paths that are empty all at once. */
  readonly lost: readonly { readonly root: Buffer; readonly failure: Failure }[]
  readonly notes: readonly FilesNote[]
  /** What to remember: of a path that was lost, what it was. */
  readonly seen: FilesSeen
}

/**
 * @param roots - the configured paths: what was seen of others is forgotten
 * @param allowEmpty - that a path may become empty, or no mount point any more
 */
export function judge(
  past: FilesSeen | undefined,
  outcome: Outcome,
  roots: readonly Buffer[],
  allowEmpty = false,
): Judgement {
  const paths = new Map<string, SeenPath>()
  for (const root of roots) {
    const path = root.toString('latin1')
    const seen = past?.paths[path]
    if (seen !== undefined) paths.set(path, seen)
  }
  const lost: { root: Buffer; failure: Failure }[] = []
  for (const [path, { entries, isListed, isMountPoint }] of outcome.tallies) {
    // What is no directory, or could not be listed, is reported as that.
    if (!isListed) continue
    const failure = allowEmpty ? undefined : lossOf(paths.get(path), entries, isMountPoint)
    if (failure !== undefined) lost.push({ root: Buffer.from(path, 'latin1'), failure })
    else paths.set(path, { entries, isMountPoint })
  }
  const { entries, bytes, caches, unmatched } = outcome
  const notes = unmatched.map((pattern): FilesNote => {
    return { kind: 'unmatched', path: displayPath(Buffer.from(pattern)), message: 'it has left nothing out' }
  })
  const isWhole = lost.length === 0
  if (past && isWhole && !allowEmpty) notes.push(...shrinkage(past, outcome))
  const seen = {
    paths: Object.fromEntries(paths),
    // What is lost is not what the next walk is to be measured by.
    entries: isWhole ? entries : (past?.entries ?? entries),
    bytes: isWhole ? bytes : (past?.bytes ?? bytes),
    caches,
    unmatched,
  }
  return { lost, notes, seen }
}

/** Why a path is not what it was; `undefined` when there is nothing to say. */
export function lossOf(
  past: SeenPath | undefined,
  entries: number,
  isMountPoint: boolean,
): Failure | undefined {
  if (past === undefined) return undefined
  const hint = 'Mount its disk, or set `allowEmpty: true` if it is meant to be so'
  if (past.entries > 0 && entries === 0)
    return {
      code: 'vanished',
      message: `empty, where ${past.entries} ${past.entries === 1 ? 'entry was' : 'entries were'} before. ${hint}.`,
    }
  if (past.isMountPoint && !isMountPoint)
    return { code: 'vanished', message: `nothing is mounted there any more. ${hint}.` }
  return undefined
}

function shrinkage(past: FilesSeen, { entries, bytes }: Outcome): FilesNote[] {
  const about = { kind: 'shrunk', path: '' } as const
  if (past.entries >= MIN_ENTRIES && entries <= past.entries * SHRUNK)
    return [{ ...about, message: `${entries} entries, where ${past.entries} were before` }]
  if (past.bytes >= MIN_BYTES && bytes <= past.bytes * SHRUNK)
    return [{ ...about, message: `${bytes} bytes, where ${past.bytes} were before` }]
  return []
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one: unknown) => typeof one === 'string') : []
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
