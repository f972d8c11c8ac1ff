import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describeSink } from '@pipe-backup/sink/conformance'
import { type SshServer, startRsyncd, startSshd, writeObjects } from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { rsyncSink } from './rsync-sink.ts'

const [openssh, restricted, daemon] = await Promise.all([
  startSshd(),
  // With its lock, as it is by default: one rsync at a time.
  startSshd({ forcedCommand: (directory) => `rrsync ${directory}` }),
  startRsyncd(),
])
afterAll(async () => {
  for (const server of [openssh, restricted, daemon]) await server[Symbol.asyncDispose]()
})

function overSsh(name: string, server: SshServer): void {
  const { host, port, user, identity, hostKey } = server
  const login = { name: 'rs', port, identity, hostKey }
  const targetOf = (path: string) => `${user}@${host}:${path}`
  describeSink(name, {
    open: () => rsyncSink({ ...login, target: targetOf(server.makePlace().remote) }),
    openWith: (objects) => {
      const { local, remote } = server.makePlace()
      writeObjects(local, objects)
      return rsyncSink({ ...login, target: targetOf(remote) })
    },
    // Those that wait share one rsync.
    putsAtOnce: 64,
    server: {
      host,
      port,
      http: false,
      openBoth: async (proxyPort) => {
        const target = targetOf(server.makePlace().remote)
        return {
          straight: rsyncSink({ ...login, target }),
          proxied: rsyncSink({ ...login, target, port: proxyPort }),
        }
      },
    },
    broken: {
      'a key that the server does not know': {
        open: () =>
          rsyncSink({
            ...login,
            identity: server.strangeIdentity,
            target: targetOf(server.makePlace().remote),
          }),
        code: 'unauthorized',
      },
      'another host key than the one that is pinned': {
        open: () =>
          rsyncSink({
            ...login,
            hostKey: `SHA256:${'A'.repeat(43)}`,
            target: targetOf(server.makePlace().remote),
          }),
        code: 'unauthorized',
      },
      'a directory that is not there': {
        open: () => rsyncSink({ ...login, target: targetOf(`${server.makePlace().remote}/unmounted`) }),
        code: 'unreachable',
      },
      'a port where nothing listens': {
        open: () => rsyncSink({ ...login, port: 1, target: targetOf(server.makePlace().remote) }),
        code: 'unreachable',
      },
    },
  })
}

overSsh('rsync, over ssh', openssh)
overSsh('rsync, over ssh to rrsync', restricted)

const { host, port, user, password } = daemon
const module = daemon.makeModule()
let made = 0
function makeDirectory(): string {
  const name = `place-${++made}`
  mkdirSync(join(module.local, name))
  return `${module.name}/${name}`
}
const targetOf = (path: string, at: number = port) => `rsync://${user}@${host}:${at}/${path}`
const login = { name: 'rs', password }

describeSink('rsync, a daemon with a secrets file', {
  open: () => rsyncSink({ ...login, target: targetOf(makeDirectory()) }),
  openWith: (objects) => {
    const path = makeDirectory()
    writeObjects(join(module.local, basename(path)), objects)
    return rsyncSink({ ...login, target: targetOf(path) })
  },
  putsAtOnce: 64,
  // More than one rsync takes.
  largestBytes: 70 * 1024 * 1024,
  server: {
    host,
    port,
    http: false,
    openBoth: async (proxyPort) => {
      const path = makeDirectory()
      return {
        straight: rsyncSink({ ...login, target: targetOf(path) }),
        proxied: rsyncSink({ ...login, target: targetOf(path, proxyPort) }),
      }
    },
  },
  broken: {
    'a wrong password': {
      open: () => rsyncSink({ ...login, password: 'wrong', target: targetOf(makeDirectory()) }),
      code: 'unauthorized',
    },
    'a module that is not there': {
      open: () => rsyncSink({ ...login, target: targetOf('other') }),
      code: 'forbidden',
    },
    'a directory that is not there': {
      open: () => rsyncSink({ ...login, target: targetOf(`${makeDirectory()}/unmounted`) }),
      code: 'unreachable',
    },
    'a port where nothing listens': {
      open: () => rsyncSink({ ...login, target: targetOf(makeDirectory(), 1) }),
      code: 'unreachable',
    },
  },
})
