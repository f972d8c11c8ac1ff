import { getSystemErrorMessage } from 'node:util'
import { QUOTA_EXCEEDED } from '@pipe-backup/sink'
import { writeStateFile } from '@pipe-backup/vault'
import { CommandError } from '../command-error.ts'

/**
 * Writes a file of the state directory, to be read by `readStateFile`.
 * @throws CommandError `no-state` that names the file
 */
export async function writeState(file: string, value: unknown): Promise<void> {
  try {
    await writeStateFile(file, value)
  } catch (error) {
    throw new CommandError('no-state', `${file} could not be written: ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === QUOTA_EXCEEDED) return 'disk quota exceeded'
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number')
    return getSystemErrorMessage(error.errno)
  return String(error)
}
