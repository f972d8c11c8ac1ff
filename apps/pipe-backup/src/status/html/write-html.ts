import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { toError } from '@pipe-backup/sink'
import { CommandError } from '../../command-error.ts'
import { replaceSecureFile } from '../../host/secure-file.ts'
import { UsageError } from '../../usage-error.ts'

/** Makes sure that a file could be there, before sinks are asked. @throws UsageError for what is no file, which it would replace, or a file in no directory */
export async function requireFilePlace(file: string): Promise<void> {
  const look = async (path: string) => await stat(path).catch(() => undefined)
  const there = await look(file)
  if (there?.isDirectory())
    throw new UsageError(`--html ${file}: this is a directory`, `Name a file in it: ${file}/status.html`)
  if (there && !there.isFile())
    throw new UsageError(
      `--html ${file}: this is a device or a pipe, and it would be replaced`,
      'Name a file.',
    )
  if (!(await look(dirname(file)))?.isDirectory())
    throw new UsageError(`--html ${file}: there is no directory ${dirname(file)}`, 'Make it first.')
}

/**
 * Writes a document that only its owner can read (0600), in the place of the one there is: a reader finds the old one or the new one, whole.
 * @throws CommandError `no-html`
 */
export async function writeHtml(file: string, document: string): Promise<void> {
  try {
    await replaceSecureFile(file, document)
  } catch (error) {
    throw new CommandError('no-html', `${file} could not be written: ${toError(error).message}`)
  }
}
