import { type ListedEntry, type SnapshotReader, VaultError } from '@pipe-backup/vault'
import { chooseEntries } from '../restore/choose-entries.ts'
import { type PathPattern, parsePathPattern } from './path-pattern.ts'

const SLASH = 0x2f

/** Something that is listed. */
export interface ListedItem {
  /** From its source's name on. */
  readonly path: Uint8Array
  /** `undefined` for a directory of which the snapshot has only what is in it, such as a source. */
  readonly entry: ListedEntry | undefined
}

/** Whether an argument is to be tried as a pattern where it is no path. */
export function mayBePattern(argument: string): boolean {
  return /^\/|[*?[\\]/.test(argument)
}

/**
 * A path and what is so many levels below it, or, without a number, all that is; directories of which the snapshot has only what is in them come only with a number.
 * @param depth - 0 is the path alone
 * @throws VaultError `not-found`
 */
export async function* itemsAt(
  reader: SnapshotReader,
  path: Uint8Array,
  depth: number | undefined,
): AsyncGenerator<ListedItem> {
  if (depth === undefined) {
    for await (const entry of reader.entries([path])) yield { path: entry.path, entry }
    return
  }
  const item = { path, entry: await entryAt(reader, path) }
  yield item
  yield* below(reader, item, depth)
}

/** Whether there is anything at or below a path. */
export async function hasPath(reader: SnapshotReader, path: Uint8Array): Promise<boolean> {
  try {
    for await (const _ of reader.entries([path])) return true
    // A source without entries is there.
    return true
  } catch (error) {
    if (error instanceof VaultError && error.code === 'not-found') return false
    throw error
  }
}

/**
 * What matches a pattern, with all that is below, or so many levels of it.
 * @param sources - names of those that can be read
 * @throws UsageError for a pattern that can match nothing
 */
export async function* itemsMatching(
  reader: SnapshotReader,
  text: string,
  sources: readonly string[],
  depth: number | undefined,
): AsyncGenerator<ListedItem> {
  const pattern = parsePathPattern(text)
  const isWanted = depth === undefined ? chooseEntries([text])?.isWanted : upToDepth(pattern, depth)
  for (const source of sources.filter(pattern.wantsSource)) {
    const path = Buffer.concat([Buffer.from(source), Buffer.of(SLASH), pattern.below ?? Buffer.of()])
    const start = pattern.below ? path : path.subarray(0, -1)
    if (!(await hasPath(reader, start))) continue
    for await (const entry of reader.entries([start], isWanted)) yield { path: entry.path, entry }
  }
}

async function entryAt(reader: SnapshotReader, path: Uint8Array): Promise<ListedEntry | undefined> {
  for await (const entry of reader.entries([path]))
    return Buffer.compare(entry.path, path) === 0 ? entry : undefined
  return undefined
}

async function* below(
  reader: SnapshotReader,
  { path, entry }: ListedItem,
  levels: number,
): AsyncGenerator<ListedItem> {
  if (levels === 0 || (entry && entry.type !== 'directory')) return
  for await (const child of reader.children(path)) {
    const item = { path: Buffer.concat([path, Buffer.of(SLASH), child.name]), entry: child.entry }
    yield item
    yield* below(reader, item, levels - 1)
  }
}

/** Of what is below a match, so many levels. */
function upToDepth(pattern: PathPattern, depth: number): (path: Uint8Array, isDirectory: boolean) => boolean {
  return (path, isDirectory) => {
    const within = path.subarray(path.indexOf(SLASH) + 1)
    for (let [level, end] = [0, within.length]; level <= depth && end > 0; level++) {
      if (pattern.matches(within.subarray(0, end), level > 0 || isDirectory)) return true
      end = within.lastIndexOf(SLASH, end - 1)
    }
    return false
  }
}
