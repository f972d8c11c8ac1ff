import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { toError } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { errorLine } from '../terminal/error-line.ts'
import { exposition } from './exposition.ts'

/** Writes the file of `metrics` again, where the configuration has one. Not to be able to is a warning. */
export async function writeMetricsFile(config: LoadedConfig, { output, program }: CliContext): Promise<void> {
  const given = config.metrics?.file
  if (given === undefined) return
  const file = config.path(given)
  try {
    await replacePublicFile(file, await exposition(config, program))
  } catch (error) {
    output.warn(`the metrics could not be written to ${file}: ${errorLine(toError(error))}`)
  }
}

/** A reader sees the old text or the new one, whole; everybody may read it. Its name until then is one that node_exporter does not read. */
async function replacePublicFile(file: string, text: string): Promise<void> {
  const staged = join(dirname(file), `.${basename(file)}.${process.pid}`)
  try {
    await rm(staged, { force: true })
    await using handle = await open(staged, 'wx')
    await handle.writeFile(text)
    // The umask has a say in what `open` makes.
    await handle.chmod(0o644)
    await handle.sync()
    await rename(staged, file)
  } catch (error) {
    await rm(staged, { force: true }).catch(() => undefined)
    throw error
  }
}
