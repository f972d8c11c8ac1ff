import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { startServer } from './server-process.ts'
import { makeKeys, type SshServer } from './sshd.ts'

/** Starts proftpd's mod_sftp, a second implementation of SFTP, on a free port of 127.0.0.1. */
export async function startProftpd(): Promise<SshServer> {
  const directory = mkdtempSync('/run/pipe-backup-proftpd-')
  chmodSync(directory, 0o755)
  const at = (name: string) => join(directory, name)
  const keys = makeKeys(directory)
  const places = at('places')
  mkdirSync(places)
  const { username, uid, gid } = userInfo()
  // It takes keys in the form of RFC 4716 alone.
  writeFileSync(at('authorized_keys'), execFileSync('ssh-keygen', ['-e', '-f', at('identity.pub')]))
  writeFileSync(at('passwd'), `${username}:*:${uid}:${gid}::${directory}:/bin/sh\n`, { mode: 0o600 })
  const port = await freePort()
  const lines = [
    'LoadModule mod_sftp.c',
    'ServerType standalone',
    'DefaultAddress 127.0.0.1',
    `Port ${port}`,
    `PidFile ${at('pid')}`,
    `ScoreboardFile ${at('scoreboard')}`,
    `DelayTable ${at('delay')}`,
    `User ${username}`,
    'Group nogroup',
    'RootLogin on',
    'UseFtpUsers off',
    'RequireValidShell off',
    'UseReverseDNS off',
    'MaxInstances 100',
    'WtmpLog off',
    'TransferLog none',
    'AllowOverwrite on',
    'AllowStoreRestart on',
    `AuthUserFile ${at('passwd')}`,
    'AuthOrder mod_auth_file.c',
    'SFTPEngine on',
    `SFTPHostKey ${at('host')}`,
    'SFTPAuthMethods publickey',
    `SFTPAuthorizedUserKeys file:${at('authorized_keys')}`,
  ]
  writeFileSync(at('config'), `${lines.join('\n')}\n`)
  const server = await startServer('/usr/sbin/proftpd', ['--nodaemon', '--config', at('config')], port)
  let made = 0
  return {
    host: '127.0.0.1',
    port,
    user: username,
    ...keys,
    knownHostsLine: '',
    makePlace: () => {
      const name = `place-${++made}`
      mkdirSync(join(places, name))
      return { local: join(places, name), remote: join(places, name) }
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
