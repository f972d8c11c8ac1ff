import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToApache } from './apache-process.ts'
import { startPhpSite } from './php-site.ts'

/** A request that is to go wrong. */
export interface NextcloudFault {
  readonly method: string
  /** A regular expression that the path below `/remote.php/dav/` meets. */
  readonly path: string
  readonly status: number
  /** Whether what was asked for is done: not at all (default), before the answer, or after it. */
  readonly work?: 'none' | 'before' | 'after'
  /** With `after`: so long after. */
  readonly delayMs?: number
  /** How often. Default 1. */
  readonly times?: number
}

/** What the server is like. */
export interface NextcloudSettings {
  /** How much the user may store, in bytes. Default: no end. */
  readonly quota?: number
  /** The largest body of a request, in bytes, as a proxy in front of it has one. */
  readonly bodyLimit?: number
  /** The largest chunk that it announces, in bytes. */
  readonly chunkLimit?: number
  /** Without a distributed cache uploads are of version 1. */
  readonly noCache?: boolean
  /** It does not answer `X-Hash`. */
  readonly noHash?: boolean
  /** What is stored is not what came. */
  readonly damage?: boolean
  readonly maintenance?: boolean
  readonly faults?: readonly NextcloudFault[]
}

/** A server that behaves like Nextcloud: see nextcloud/README.md for how far. */
export interface NextcloudServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** For `server`. */
  readonly url: string
  /** The user's id, and what else the same user may log in with. */
  readonly user: string
  readonly login: string
  readonly password: string
  readonly appPassword: string
  /** An empty folder of the user: its path below the user's files. */
  makeFolder(): { readonly path: string; readonly local: string }
  /** From now on, until it is called again: what is not named is as by default. */
  set(settings: NextcloudSettings): void
  /** Names of what is in the trash. */
  trash(): string[]
  /** Ids of uploads that have neither ended nor been given up. */
  uploads(): string[]
  /** Empties files, trash and uploads. */
  clear(): void
}

/** Starts it on a free port of 127.0.0.1. */
export async function startNextcloud(): Promise<NextcloudServer> {
  const [user, login, password] = ['tester', 'tester@example.com', 'pass word']
  const appPassword = 'aB3dE-fG5hI-jK7lM-nO9pQ-rS1tU'
  const script = 'nextcloud/index.php'
  const site = await startPhpSite({
    scripts: { '/status.php': script, '/ocs/v2.php': script, '/remote.php': script },
    environment: { NC_USER: user, NC_LOGIN: login, NC_PASSWORD: password, NC_APP_PASSWORD: appPassword },
  })
  const state = (name: string) => join(site.state, name)
  const namesIn = (name: string) => (existsSync(state(name)) ? readdirSync(state(name)) : [])
  let made = 0
  return {
    host: '127.0.0.1',
    port: site.port,
    url: `http://127.0.0.1:${site.port}`,
    user,
    login,
    password,
    appPassword,
    makeFolder: () => {
      const path = `folder ${++made}`
      const local = join(site.root, path)
      mkdirSync(local)
      giveToApache(local)
      return { path, local }
    },
    set: (settings) => {
      const { quota, bodyLimit, chunkLimit, noCache, noHash, damage, maintenance, faults } = settings
      const files = {
        quota,
        'body-limit': bodyLimit,
        'chunk-limit': chunkLimit,
        'no-cache': noCache || undefined,
        'no-hash': noHash || undefined,
        damage: damage || undefined,
        maintenance: maintenance || undefined,
        'faults.json': faults && JSON.stringify(faults),
      }
      for (const [name, value] of Object.entries(files)) {
        rmSync(state(name), { force: true })
        if (value === undefined) continue
        writeFileSync(state(name), String(value))
        giveToApache(state(name))
      }
    },
    trash: () => namesIn('trash'),
    uploads: () => namesIn('uploads'),
    clear: () => {
      const files = readdirSync(site.root).map((name) => join(site.root, name))
      const all = [...['trash', 'uploads', 'chunking'].map(state), ...files]
      for (const path of all) rmSync(path, { recursive: true, force: true })
    },
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  }
}
