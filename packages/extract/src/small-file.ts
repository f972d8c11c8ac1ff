import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { attempt, type Refusal, withoutSetIds } from './refusals.ts'
import { stagedName } from './staged-names.ts'
import { directoryInTheWay } from './target-errors.ts'
import { toTime } from './times.ts'
import { NEW_FILE_FLAGS } from './write-file.ts'

const NONE: readonly Refusal[] = []

/**
 * How a file gets its name. `direct`: it is written under it, in a directory that was made just now, where nothing of that name can be. `staged`:
 * beside it, and renamed. `synced`: so too, and it is on the disk before it replaces what is there.
 */
export type Placing = 'direct' | 'staged' | 'synced'

/** What a file gets that has no attributes. */
export interface PlainMetadata {
  readonly mode: number
  /** Absent where owners are not restored. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  readonly mtimeNs: bigint
}

/** A file whose bytes are at hand. */
export interface SmallFile {
  /** Absolute. */
  readonly path: Buffer
  readonly content: Buffer
  readonly placing: Placing
  readonly metadata: PlainMetadata
}

/**
 * Writes a file whole, on the thread that calls it. It never follows anything, and leaves nothing when it fails.
 * @returns what of its metadata was refused
 * @throws the system's errors; SourceError for a directory in the way
 */
export function writeSmallFile(file: SmallFile): readonly Refusal[] {
  try {
    return writeAs(file, file.placing)
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (file.placing !== 'direct' || !isThere) throw error
    // Entries may have a path twice: the later one replaces the earlier.
    const there = lstatSync(file.path, { throwIfNoEntry: false })
    if (there?.isDirectory()) throw directoryInTheWay()
    return writeAs(file, there?.isFile() ? 'synced' : 'staged')
  }
}

function writeAs({ path, content, metadata }: SmallFile, placing: Placing): readonly Refusal[] {
  const made = placing === 'direct' ? path : stagedName(path)
  const file = openSync(made, NEW_FILE_FLAGS, 0o600)
  let refused: readonly Refusal[]
  try {
    try {
      for (let done = 0; done < content.length; )
        done += writeSync(file, content, done, content.length - done, done)
      refused = setPlainMetadata(file, metadata)
      if (placing === 'synced') fsyncSync(file)
    } finally {
      closeSync(file)
    }
    if (made !== path) renameSync(made, path)
    return refused
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  }
}

/**
 * In the order of `MetadataWriter.setOfFile`. The time comes last: a file that was written under its own name, and has its time, is whole, however
 * the process ended.
 */
function setPlainMetadata(file: number, { mode, owner, mtimeNs }: PlainMetadata): readonly Refusal[] {
  const ofOwner = owner && attempt('owner', () => fchownSync(file, owner.uid, owner.gid))
  const ofMode = attempt('mode', () => fchmodSync(file, ofOwner ? withoutSetIds(mode) : mode))
  const time = toTime(mtimeNs)
  const ofTime = attempt('modification time', () => futimesSync(file, time, time))
  return ofOwner || ofMode || ofTime ? [ofOwner, ofMode, ofTime].filter((one) => one !== undefined) : NONE
}
