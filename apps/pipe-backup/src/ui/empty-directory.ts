import { opendir } from 'node:fs/promises'
import { CommandError } from '../command-error.ts'

/**
 * Makes sure that a directory is not there yet, or has nothing in it.
 * @throws CommandError `not-empty`, also for what is no directory; the system's error where it can't be looked at
 */
export async function requireEmptyDirectory(path: string): Promise<void> {
  try {
    await using directory = await opendir(path)
    // One entry is enough: there may be millions.
    if ((await directory.read()) === null) return
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return
    if (code !== 'ENOTDIR') throw error
    throw new CommandError('not-empty', `${path} is no directory, or something above it is none`, HINT)
  }
  throw new CommandError('not-empty', `${path} is not empty`, HINT)
}

const HINT =
  'The page restores into a directory that is new or empty. "pipe-backup restore --to" also restores over what is there.'
