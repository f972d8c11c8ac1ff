import { realpath, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { normalize } from 'node:path/posix'
import { ConfigError } from '../config/config-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { SinkConfig } from './sink-type.ts'

/** All that a sink is in, from the outermost, and itself last. Two sinks whose last one is the same are the same place. */
type Place = readonly string[]

/**
 * Refuses sinks that are one place, or of which one is inside another: they would be counted as two copies, and what one deletes is
 * gone from both. Looks at directories of this machine, and at nothing else.
 * @throws ConfigError `bad-value`
 */
export async function refuseSharedPlaces(
  config: Pick<LoadedConfig, 'sinks' | 'path' | 'file'>,
): Promise<void> {
  const known: { readonly name: string; readonly place: Place }[] = []
  for (const [index, sink] of config.sinks.entries()) {
    const place = await placeOf(sink, config.path)
    if (!place) continue
    const last = place.at(-1) ?? ''
    for (const other of known) {
      const theirs = other.place.at(-1) ?? ''
      const how =
        theirs === last
          ? 'the same place as'
          : place.includes(theirs)
            ? 'inside the place of'
            : other.place.includes(last)
              ? 'around the place of'
              : undefined
      if (how === undefined) continue
      const message = `"${sink.name}" is ${how} sink "${other.name}": together they are one copy, and not two`
      throw new ConfigError(
        { code: 'bad-value', message, file: config.file, path: `sinks[${index}]` },
        { hint: 'Give each sink a place of its own, or leave one of them out.' },
      )
    }
    known.push({ name: sink.name, place })
  }
}

/** @returns undefined where the configuration does not show it */
async function placeOf(sink: SinkConfig, resolve: (path: string) => string): Promise<Place | undefined> {
  const options = new Map<string, unknown>(Object.entries(sink))
  const text = (name: string): string => {
    const value = options.get(name)
    return typeof value === 'string' ? value : ''
  }
  const user = text('user')
  const port = Number(options.get('port') ?? 22)
  switch (sink.type) {
    case 'local':
      return await directoryPlace(resolve(text('path')))
    case 'sftp':
      return below(`sftp ${user}@${text('host').toLowerCase()}:${port}`, remotePath(text('path')))
    case 'rsync':
      return rsyncPlace(text('target'), port, text('identity'))
    case 's3':
      return below(`s3 ${endpointOf(text('endpoint'))} ${text('bucket')}`, text('prefix'))
    case 'nextcloud':
      return below(`nextcloud ${user}@${addressOf(text('server'))}`, text('path') || 'pipe-backup')
    case 'webdav':
      return await davPlace(text('url'), user)
    case 'dropbox': {
      // Whose account it is, only the login knows: the same login is the same account.
      const login = JSON.stringify(options.get('refreshToken') ?? options.get('accessToken') ?? null)
      return below(`dropbox ${login}`, text('path').toLowerCase())
    }
    default:
      return undefined
  }
}

/** By device and inode, so that links and mounts of one directory are one; what is not there yet by its name. */
async function directoryPlace(path: string): Promise<Place> {
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
  const place: string[] = []
  for (let at = there; ; at = dirname(at)) {
    const { dev, ino } = await stat(at, { bigint: true }).catch(() => ({ dev: 'name', ino: at }))
    place.unshift(`directory ${dev}:${ino}`)
    if (dirname(at) === at) break
  }
  for (const name of missing) place.push(join(place.at(-1) ?? '', name))
  return place
}

function rsyncPlace(target: string, port: number, identity: string): Place | undefined {
  const [, daemonUser, daemonHost, daemonPort = '873', path] =
    /^rsync:\/\/(?:([^@/]*)@)?([^/]+?)(?::(\d+))?\/(.*)$/.exec(target) ?? []
  if (daemonHost !== undefined && path !== undefined)
    return below(`rsyncd ${daemonUser ?? ''}@${daemonHost.toLowerCase()}:${daemonPort}`, path)
  const [, user, host, sshPath] = /^(?:([^@/]+)@)?(\[[^\]]+\]|[^:/]+):(.*)$/.exec(target) ?? []
  if (host === undefined || sshPath === undefined) return undefined
  // One user's keys may each be restricted to a directory, by rrsync: paths are below it then.
  const login = `${user ?? userInfo().username}@${host.toLowerCase()}:${port} ${identity}`
  return sshPath.startsWith(':')
    ? below(`rsyncd by ssh ${login}`, sshPath.slice(1))
    : below(`rsync ${login}`, remotePath(sshPath))
}

async function davPlace(url: string, user: string): Promise<Place | undefined> {
  if (!URL.canParse(url)) return undefined
  if (url.includes('/remote.php/')) {
    const { nextcloudPlace } = await import('@pipe-backup/sink-nextcloud')
    const found = nextcloudPlace(url)
    if (found) return below(`nextcloud ${user}@${addressOf(found.server)}`, found.path)
  }
  const { origin, pathname } = new URL(url)
  return below(`webdav ${user}@${origin}`, pathname)
}

/** All endpoints of Amazon's are one store: a bucket's name is there once. */
function endpointOf(endpoint: string): string {
  if (!URL.canParse(endpoint)) return 'amazon'
  const { origin, hostname } = new URL(endpoint)
  return /(?:^|\.)s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com$/.test(hostname) ? 'amazon' : origin
}

function addressOf(server: string): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `https://${server}`
  if (!URL.canParse(text)) return server
  const { origin, pathname } = new URL(text)
  return origin + pathname.replace(/\/(?:index|remote)\.php(?:\/.*)?$/, '').replace(/\/+$/, '')
}

/** One that is absolute is another than one below the directory where the login begins: how they lie to each other only the server knows. */
function remotePath(path: string): string {
  const clean = normalize(path.replace(/^~(?:\/|$)/, './') || '.')
  return clean.startsWith('/') ? `%2f/${clean}` : clean
}

function below(origin: string, path: string): Place {
  const place = [origin]
  for (const part of path.split('/')) {
    if (part !== '' && part !== '.') place.push(`${place.at(-1)}/${part}`)
  }
  return place
}
