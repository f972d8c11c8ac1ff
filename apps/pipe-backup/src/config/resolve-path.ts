import { resolve } from 'node:path'

/**
 * What a path in a configuration means: `~` is the home directory, a relative path is relative to `directory`.
 * @throws RangeError for `~user`, which only a shell understands
 */
export function resolvePath(path: string, directory: string, home: string): string {
  if (path === '~') return home
  if (path.startsWith('~/')) return resolve(home, path.slice(2))
  if (/^~[\w.-]*(?:\/|$)/.test(path))
    throw new RangeError(`${path}: write another user's home directory in full`)
  return resolve(directory, path)
}
