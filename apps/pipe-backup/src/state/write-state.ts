import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { CommandError } from '../command-error.ts'

/**
 * Writes a file of the state directory as JSON: whole or not at all, for its owner alone.
 * @throws CommandError `no-state` that names the file
 */
export async function writeState(file: string, value: unknown): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(`${file}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 })
    await rename(`${file}.new`, file)
  } catch (error) {
    // What there is of it takes space that may be lacking.
    await rm(`${file}.new`, { force: true }).catch(() => undefined)
    throw new CommandError('no-state', `${file} could not be written: ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number')
    return getSystemErrorMessage(error.errno)
  return String(error)
}
