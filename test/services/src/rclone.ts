import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { startServer } from './server-process.ts'
import { makeKeys, type SshServer } from './sshd.ts'

const USER = 'backup'

/**
 * Starts `rclone serve sftp` on a free port of 127.0.0.1: SFTP by Go's library, which announces hard links, answers OK to who wants one,
 * and makes none.
 */
export async function startRclone(): Promise<SshServer> {
  const directory = mkdtempSync('/run/pipe-backup-rclone-')
  const at = (name: string) => join(directory, name)
  const keys = makeKeys(directory)
  const places = at('places')
  mkdirSync(places)
  writeFileSync(at('authorized_keys'), `${keys.publicKey}\n`)
  const port = await freePort()
  // What is made by others, such as the places, is seen at once; what is written need not come in order.
  const vfs = ['--dir-cache-time', '0s', '--vfs-cache-mode', 'writes', '--vfs-write-back', '0s']
  const own = ['--config', at('rclone.conf'), '--cache-dir', at('cache'), '--addr', `127.0.0.1:${port}`]
  const login = ['--user', USER, '--authorized-keys', at('authorized_keys'), '--key', at('host')]
  const args = ['serve', 'sftp', places, ...own, ...login, ...vfs]
  const server = await startServer('rclone', args, port)
  let made = 0
  return {
    host: '127.0.0.1',
    port,
    user: USER,
    ...keys,
    knownHostsLine: `[127.0.0.1]:${port} ${readFileSync(at('host.pub'), 'utf8')}`,
    makePlace: () => {
      const name = `place-${++made}`
      mkdirSync(join(places, name))
      return { local: join(places, name), remote: `/${name}` }
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
