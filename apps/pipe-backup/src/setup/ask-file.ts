import { access, constants } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { askNearest } from '../ask-nearest.ts'
import { findConfig } from '../config/find-config.ts'
import { userConfigDirectory } from '../config/locations.ts'
import { isTaken } from '../host/secure-file.ts'
import type { Machine } from '../machine.ts'
import { UsageError } from '../usage-error.ts'
import { absolutePath } from './ask-options.ts'
import type { Asker } from './asker.ts'

const NAME = 'pipe-backup.yaml'

/**
 * Asks where the configuration is written: unless `--config` or PIPE_BACKUP_CONFIG names it, the user's own place, or the system's for root.
 * @returns its absolute path; where something is there, to replace it was agreed to
 * @throws UsageError for a named file that is no YAML, or where this user may not write
 */
export async function askFile(asker: Asker, named: string | undefined, machine: Machine): Promise<string> {
  const { env, uid, systemConfig, cwd, home } = machine
  const given = named ?? (env['PIPE_BACKUP_CONFIG'] || undefined)
  if (given !== undefined && !isYaml(given))
    throw new UsageError(`${given}: config init writes YAML: name a file that ends in .yaml`)
  let file = given === undefined ? undefined : resolve(cwd, given)
  const suggested = file ?? join(uid === 0 ? systemConfig : userConfigDirectory(machine), NAME)
  for (;;) {
    file ??= await askPath(asker, suggested, { cwd, home })
    const closed = await closedDirectory(file)
    if (closed !== undefined) {
      if (given !== undefined && file === suggested)
        throw new UsageError(
          `${file}: this user may not write in ${closed}`,
          'Name another file, or start it as its owner.',
        )
      asker.say(`This user may not write in ${closed}.`)
      file = undefined
      continue
    }
    if (!(await isTaken(file))) return file
    asker.say(`${file} is there already.`)
    if (await asker.confirm('Replace it? It is kept beside the new one', false)) return file
    file = undefined
  }
}

async function askPath(
  asker: Asker,
  suggested: string,
  { cwd, home }: Pick<Machine, 'cwd' | 'home'>,
): Promise<string> {
  for (;;) {
    const answer = await asker.line('\nWhere is the configuration to be written', suggested)
    const file = absolutePath(answer.replace(/^~(?=\/)/, home), cwd)
    if (isYaml(file)) return file
    asker.say('Name a file that ends in .yaml.')
  }
}

/** The words that follow `pipe-backup` for a configuration to be found: none where it is found by itself. */
export async function wordsToFind(file: string, machine: Machine): Promise<readonly string[]> {
  const found = await findConfig(undefined, machine).catch(() => undefined)
  return found === file ? [] : ['--config', file]
}

/** The directory in which something would have to be made for a file to be there, when this user may not. Better said before the questions than after them. */
async function closedDirectory(file: string): Promise<string | undefined> {
  let asked = ''
  try {
    await askNearest(dirname(file), async (directory) => {
      asked = directory
      await access(directory, constants.W_OK | constants.X_OK)
    })
    return undefined
  } catch {
    return asked
  }
}

function isYaml(file: string): boolean {
  return /\.ya?ml$/.test(file)
}
