import type { Children, Differences, Entry, Found } from '@pipe-backup/ui/api'
import { diffSnapshots, findEntries } from '@pipe-backup/vault'
import { DiffTotals } from '../find/difference-lines.ts'
import { parsePathPattern } from '../find/path-pattern.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeBytes, escapeText } from '../terminal/escape-bytes.ts'
import { aloneToJson, listedToJson, pathFromText, pathToText } from './entry-json.ts'
import type { Keyring } from './keyring.ts'
import type { RequestCli } from './request-cli.ts'

const PAGE_ENTRIES = 500
const MAX_FOUND = 500
const MAX_DIFFERENCES = 2000

/** The sources of a snapshot, as directories. */
export async function topOf(keyring: Keyring, id: string): Promise<Children> {
  const { sources } = await keyring.snapshot(id)
  const entries = sources
    .filter(({ state }) => state !== 'failed')
    .map(
      ({ name, bytes }): Entry => ({
        name: escapeText(name),
        path: pathToText(Buffer.from(name)),
        type: 'directory',
        size: bytes,
      }),
    )
  return { entries, next: null }
}

/** A page of what is directly in a directory. @param from - as `Children.next`, or what names are to begin with */
export async function childrenOf(
  keyring: Keyring,
  id: string,
  directory: Uint8Array,
  from: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Children> {
  const reader = await keyring.reader(id)
  using _use = keyring.use()
  const entries: Entry[] = []
  for await (const { name, entry } of reader.children(directory, from)) {
    signal.throwIfAborted()
    if (entries.length === PAGE_ENTRIES) return { entries, next: pathToText(name) }
    const path = Buffer.concat([directory, Buffer.from('/'), name])
    entries.push(
      entry ? listedToJson(entry) : { name: escapeBytes(name), path: pathToText(path), type: 'directory' },
    )
  }
  return { entries, next: null }
}

/** @param id - of the snapshot to search; without it all */
export async function found(
  keyring: Keyring,
  text: string,
  id: string | undefined,
  { cli, warnings }: RequestCli,
): Promise<Found> {
  const pattern = parsePathPattern(text)
  const snapshots = id === undefined ? await keyring.all() : [await keyring.snapshot(id)]
  using opened = keyring.use()
  const { sinks, keys, onProblem } = opened
  const entries: Found['found'][number][] = []
  let isCut = false
  const { output } = cli
  const signal = AbortSignal.any([cli.signal, opened.signal])
  const onUnreadable = (error: Error, source: string): void =>
    output.warn(`a part of source "${source}" can't be searched: ${errorLine(error)}`)
  for await (const one of findEntries({
    sinks,
    keys,
    snapshots,
    ...pattern,
    signal,
    onProblem,
    onUnreadable,
  })) {
    isCut = entries.length === MAX_FOUND
    if (isCut) break
    entries.push({ ...aloneToJson(one.entry), snapshots: one.snapshots.map((snapshot) => snapshot.id) })
  }
  return { found: entries, isCut, searched: snapshots.length, warnings: warnings() }
}

export async function differences(
  keyring: Keyring,
  [first, second]: readonly [string, string],
  { cli, warnings }: RequestCli,
): Promise<Differences> {
  const [before, after] = [await keyring.snapshot(first), await keyring.snapshot(second)]
  using opened = keyring.use()
  const { sinks, keys, onProblem } = opened
  for (const [one, other, shownAs] of [
    [before, after, 'removed'],
    [after, before, 'added'],
  ] as const) {
    const names = new Set(other.sources.map(({ name }) => name))
    for (const { name } of one.sources)
      if (!names.has(name))
        cli.output.warn(`snapshot ${other.id} is without source "${name}": all of it is shown as ${shownAs}`)
  }
  const totals = new DiffTotals()
  const shown: Differences['differences'][number][] = []
  let isCut = false
  const signal = AbortSignal.any([cli.signal, opened.signal])
  for await (const one of diffSnapshots({ sinks, keys, before, after, signal, onProblem })) {
    totals.add(one)
    isCut = shown.length === MAX_DIFFERENCES
    if (isCut) continue
    const was = one.kind === 'added' ? undefined : one.before
    shown.push({
      change: one.kind,
      parts: one.kind === 'changed' ? one.parts : [],
      entry: aloneToJson(one.kind === 'removed' ? one.before : one.after),
      ...(was?.type === 'file' && was.size !== undefined && { sizeBefore: was.size }),
    })
  }
  return { differences: shown, isCut, totals: totalsOf(totals), warnings: warnings() }
}

function totalsOf({
  added,
  addedBytes,
  removed,
  removedBytes,
  modified,
  metadata,
}: DiffTotals): Differences['totals'] {
  return { added, addedBytes, removed, removedBytes, modified, metadata }
}

/** @returns `undefined` where the request has none */
export function fromOf(text: string | undefined): Uint8Array | undefined {
  return text === undefined || text === '' ? undefined : pathFromText(text)
}
