import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DavServer } from './apache.ts'
import { giveToApache } from './apache-process.ts'
import { startPhpSite } from './php-site.ts'

/** Starts sabre/dav, the library under Nextcloud, on a free port of 127.0.0.1. */
export async function startSabreDav(): Promise<DavServer> {
  const [user, password] = ['tester', 'a pass word']
  const site = await startPhpSite({
    scripts: { '/dav': 'sabre-dav.php' },
    environment: { DAV_BASE: '/dav/', DAV_USER: user, DAV_PASSWORD: password },
  })
  let made = 0
  return {
    host: '127.0.0.1',
    port: site.port,
    user,
    password,
    makeCollection: () => {
      const name = `place-${++made}`
      const local = join(site.root, name)
      mkdirSync(local)
      giveToApache(local)
      return { local, path: `/dav/${name}/`, url: `http://127.0.0.1:${site.port}/dav/${name}/` }
    },
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  }
}
