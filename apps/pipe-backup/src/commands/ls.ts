import { VaultError } from '@pipe-backup/vault'
import type { CliContext } from '../cli-context.ts'
import { hasPath, itemsAt, itemsMatching, type ListedItem, mayBePattern } from '../find/listed-items.ts'
import { toSnapshotPath } from '../snapshot-path.ts'
import { batchLines } from '../terminal/batch-lines.ts'
import { entryToJson, inferredLine, jsonPath, longLine } from '../terminal/long-listing.ts'
import { openReading, type Reading } from '../vault/open-reading.ts'

export interface LsOptions {
  /** So many levels below what is listed; without it all. */
  readonly depth?: number | undefined
  /** Only of snapshots with any of these. */
  readonly tag?: readonly string[] | undefined
  readonly phraseFile?: string | undefined
}

/** `ls`: the entries of a snapshot, or those at and below a path, or what matches a pattern. @returns the exit code */
export async function ls(
  cli: CliContext,
  spec: string,
  argument: string | undefined,
  options: LsOptions,
): Promise<number> {
  const { output, signal } = cli
  const sources = argument === undefined ? undefined : sourcesIn(argument)
  await using opened = await openReading(cli, spec, options.phraseFile, sources, options.tag)
  async function* lines(): AsyncGenerator<string> {
    for await (const item of chosen(opened, argument, options.depth))
      yield output.json ? JSON.stringify(itemToJson(item)) : itemLine(item)
  }
  await output.stream(batchLines(lines()), signal)
  // What a source lacks has been said, and nothing rests on a list.
  return opened.isOutdated ? 3 : 0
}

/** What says which sources are read: a path, or its source's name where the rest may be a pattern; undefined for all. */
function sourcesIn(argument: string): readonly Uint8Array[] | undefined {
  const path = toSnapshotPath(argument)
  if (!mayBePattern(argument)) return [path]
  const [name = '', ...rest] = argument.split('/')
  return rest.length === 0 || name === '' || mayBePattern(name) ? undefined : [Buffer.from(name)]
}

async function* chosen(
  { reader, snapshot }: Reading,
  argument: string | undefined,
  depth: number | undefined,
): AsyncGenerator<ListedItem> {
  const sources = snapshot.sources.filter(({ state }) => state !== 'failed').map(({ name }) => name)
  if (argument === undefined) {
    for (const name of sources) yield* itemsAt(reader, Buffer.from(name), depth)
    return
  }
  const path = toSnapshotPath(argument)
  if (!mayBePattern(argument) || (await hasPath(reader, path))) {
    yield* itemsAt(reader, path, depth)
    return
  }
  let any = false
  for await (const item of itemsMatching(reader, argument, sources, depth)) {
    any = true
    yield item
  }
  if (!any) throw new VaultError('not-found', `snapshot ${snapshot.id} has nothing that matches ${argument}`)
}

function itemLine({ path, entry }: ListedItem): string {
  return entry ? longLine(entry) : inferredLine(path)
}

function itemToJson({ path, entry }: ListedItem): Readonly<Record<string, unknown>> {
  return entry ? entryToJson(entry) : { ...jsonPath('path', path), type: 'directory' }
}
