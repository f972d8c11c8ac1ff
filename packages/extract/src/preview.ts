import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { resolve } from 'node:path'
import type { Entry } from '@pipe-backup/source'
import type { Overwrite } from './extract.ts'
import { safeComponents } from './safe-path.ts'
import { TargetDirectory } from './target-directory.ts'
import { isSameTime } from './times.ts'

/**
 * - `new`: nothing is there under its name; `changed`: something is, and would be replaced;
 * - `same`: it is there already, as far as a look shows: its metadata may be set again;
 * - `kept`: something else is there, and would be left;
 * - `blocked`: it could not be written, for a directory is there, or a link or no directory in its path.
 */
export type PreviewState = 'new' | 'changed' | 'same' | 'kept' | 'blocked'

export interface Preview {
  readonly path: Uint8Array
  readonly state: PreviewState
  /** What would be written. */
  readonly sizeBytes: number
}

export interface PreviewOptions {
  /** As for `extract`. Default `always`. */
  readonly overwrite?: Overwrite | undefined
  readonly signal?: AbortSignal | undefined
}

/** What `extract` would do with each entry. Reads no entry's bytes, and changes nothing. @throws the abort's reason */
export async function* preview(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  directory: string,
  { overwrite = 'always', signal }: PreviewOptions = {},
): AsyncGenerator<Preview> {
  const target = new TargetDirectory(resolve(directory), () => undefined)
  for await (const entry of entries) {
    signal?.throwIfAborted()
    const state = stateOf(entry, target, overwrite)
    if (entry.type === 'directory' && entry.ifMissing && state !== 'new') continue
    const isWritten = state === 'new' || state === 'changed'
    yield { path: entry.path, state, sizeBytes: isWritten && entry.type === 'file' ? (entry.size ?? 0) : 0 }
  }
}

function stateOf(entry: Entry, target: TargetDirectory, overwrite: Overwrite): PreviewState {
  let components: Buffer[]
  try {
    components = safeComponents(entry.path)
  } catch {
    return 'blocked'
  }
  for (let depth = 1; depth < components.length; depth++) {
    const above = lookAt(target.pathOf(components.slice(0, depth)))
    // It would be made.
    if (!above) return 'new'
    if (!above.isDirectory()) return 'blocked'
  }
  const path = target.pathOf(components)
  const there = lookAt(path)
  if (!there) return 'new'
  if (entry.type === 'directory' && there.isDirectory()) return 'same'
  if (entry.type === 'directory') return overwrite === 'never' ? 'kept' : 'changed'
  if (there.isDirectory()) return 'blocked'
  if (isSame(entry, path, there, target, overwrite)) return 'same'
  return overwrite === 'never' ? 'kept' : 'changed'
}

function isSame(
  entry: Exclude<Entry, { type: 'directory' }>,
  path: Buffer,
  there: Stats,
  target: TargetDirectory,
  overwrite: Overwrite,
): boolean {
  switch (entry.type) {
    case 'file':
      return (
        overwrite !== 'always' &&
        there.isFile() &&
        there.size === entry.size &&
        isSameTime(lstatSync(path, { bigint: true }).mtimeNs, entry.mtimeNs)
      )
    case 'symlink':
      return there.isSymbolicLink() && readlinkSync(path, { encoding: 'buffer' }).equals(entry.target)
    case 'hardlink': {
      const linked = lookAt(target.pathOf(safeComponents(entry.linkTo)))
      return linked?.ino === there.ino && linked.dev === there.dev
    }
    case 'fifo':
    case 'character-device':
    case 'block-device':
      return false
  }
}

function lookAt(path: Buffer): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}
