import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Machine } from '../machine.ts'
import { ConfigError } from './config-error.ts'
import { userConfigDirectory } from './locations.ts'

const NAMES = [
  'pipe-backup.yaml',
  'pipe-backup.yml',
  'pipe-backup.json',
  'pipe-backup.jsonc',
  'pipe-backup.ts',
]

/**
 * Finds the configuration file: `given`, `PIPE_BACKUP_CONFIG`, then the first that there is in the working
 * directory, the user's configuration directory and the system's.
 * @returns its absolute path; one that was named is not looked for
 * @throws ConfigError `unreadable` when there is none, or when the one in the working directory is another user's
 */
export async function findConfig(given: string | undefined, machine: Machine): Promise<string> {
  const named = given ?? (machine.env['PIPE_BACKUP_CONFIG'] || undefined)
  if (named !== undefined) return resolve(machine.cwd, named)
  const directories = [machine.cwd, userConfigDirectory(machine), machine.systemConfig]
  for (const directory of directories) {
    for (const name of NAMES) {
      const file = join(directory, name)
      if (!(await isOurFile(file, directory === machine.cwd, machine))) continue
      return file
    }
  }
  const message = `no configuration: there is no pipe-backup.{yaml,yml,json,jsonc,ts} in ${directories.join(', ')}`
  throw new ConfigError(
    { code: 'unreadable', message },
    { hint: 'Write one, or name it with --config FILE.' },
  )
}

/** A configuration can name programs to run: one that a stranger left in a shared directory must not be picked up. */
async function isOurFile(file: string, shared: boolean, { uid }: Machine): Promise<boolean> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EACCES') return undefined
    throw error
  })
  if (found === undefined || !found.isFile()) return false
  if (!shared || uid === undefined) return true
  const strange = found.uid !== uid && found.uid !== 0
  if (!strange && (found.mode & 0o002) === 0) return true
  const why = strange ? `belongs to another user (uid ${found.uid})` : 'can be written by everybody'
  throw new ConfigError(
    { code: 'unreadable', message: `${why}, and was not named`, file },
    { hint: `It could run programs as you. If you trust it, name it: --config ${file}` },
  )
}
