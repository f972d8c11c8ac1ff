import { describeSink } from '@pipe-backup/sink/conformance'
import {
  type SshServer,
  startProftpd,
  startRclone,
  startSshd,
  writeObjects,
} from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { sftpSink } from './sftp-sink.ts'

const [openssh, chrooted, proftpd, rclone] = await Promise.all([
  startSshd(),
  startSshd({ chroot: true }),
  startProftpd(),
  startRclone(),
])
afterAll(async () => {
  for (const server of [openssh, chrooted, proftpd, rclone]) await server[Symbol.asyncDispose]()
})

function suite(name: string, server: SshServer, replacesInTwoSteps = false): void {
  const { host, port, user, identity, hostKey } = server
  const login = { name: 'ssh', host, port, user, identity, hostKey }
  describeSink(name, {
    open: () => sftpSink({ ...login, path: server.makePlace().remote }),
    openWith: (objects) => {
      const { local, remote } = server.makePlace()
      writeObjects(local, objects)
      return sftpSink({ ...login, path: remote })
    },
    putsAtOnce: 64,
    replacesInTwoSteps,
    server: {
      host,
      port,
      http: false,
      openBoth: async (proxyPort) => {
        const path = server.makePlace().remote
        return {
          straight: sftpSink({ ...login, path }),
          proxied: sftpSink({ ...login, path, port: proxyPort }),
        }
      },
    },
    broken: {
      'a key that the server does not know': {
        open: () => sftpSink({ ...login, identity: server.strangeIdentity, path: server.makePlace().remote }),
        code: 'unauthorized',
      },
      'another host key than the one that is pinned': {
        open: () =>
          sftpSink({ ...login, hostKey: `SHA256:${'A'.repeat(43)}`, path: server.makePlace().remote }),
        code: 'unauthorized',
      },
      'a directory that is not there': {
        open: () => sftpSink({ ...login, path: `${server.makePlace().remote}/unmounted` }),
        code: 'unreachable',
      },
      'a port where nothing listens': {
        open: () => sftpSink({ ...login, port: 1, path: server.makePlace().remote }),
        code: 'unreachable',
      },
    },
  })
}

suite('sftp, OpenSSH', openssh)
suite('sftp, OpenSSH in a chroot', chrooted)
suite('sftp, proftpd mod_sftp', proftpd)
// Its rename deletes what is there before it moves (operations.Move of rclone).
suite('sftp, rclone serve, which announces links and makes none', rclone, true)
