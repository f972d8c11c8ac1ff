import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { normalize } from 'node:path/posix'

/** All that a sink is in, from the outermost, and itself last. Two sinks whose last one is the same are the same location. */
export type SinkLocation = readonly string[]

/** By device and inode, so that links and mounts of one directory are one; what is not there yet by its name. */
export async function directoryLocation(path: string): Promise<SinkLocation> {
  const missing: string[] = []
  let there = path
  for (;;) {
    const real = await realpath(there).catch(() => undefined)
    if (real !== undefined) {
      there = real
      break
    }
    missing.unshift(basename(there))
    if (dirname(there) === there) break
    there = dirname(there)
  }
  const location: string[] = []
  for (let at = there; ; at = dirname(at)) {
    const { dev, ino } = await stat(at, { bigint: true }).catch(() => ({ dev: 'name', ino: at }))
    location.unshift(`directory ${dev}:${ino}`)
    if (dirname(at) === at) break
  }
  for (const name of missing) location.push(join(location.at(-1) ?? '', name))
  return location
}

/** Of a server of Nextcloud, however it is written. */
export function addressOf(server: string): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `https://${server}`
  if (!URL.canParse(text)) return server
  const { origin, pathname } = new URL(text)
  return origin + pathname.replace(/\/(?:index|remote)\.php(?:\/.*)?$/, '').replace(/\/+$/, '')
}

/** One that is absolute is another than one below the directory where the login begins: how they lie to each other only the server knows. */
export function remotePath(path: string): string {
  const clean = normalize(path.replace(/^~(?:\/|$)/, './') || '.')
  return clean.startsWith('/') ? `%2f/${clean}` : clean
}

/** A path below an origin. */
export function below(origin: string, path: string): SinkLocation {
  const location = [origin]
  for (const part of path.split('/')) {
    if (part !== '' && part !== '.') location.push(`${location.at(-1)}/${part}`)
  }
  return location
}
