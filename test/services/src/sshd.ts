import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { startServer } from './server-process.ts'

export interface SshServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Who can log in, with the identity. */
  readonly user: string
  readonly identity: string
  /** The same key under a passphrase. */
  readonly encryptedIdentity: string
  readonly passphrase: string
  /** A key that the server does not know. */
  readonly strangeIdentity: string
  /** The server's key: fingerprint, and as a line of known_hosts. */
  readonly hostKey: string
  readonly knownHostsLine: string
  /** An empty directory of the server: below the chroot, or that of the forced command, when there is one. */
  makePlace(): { readonly local: string; readonly remote: string }
}

export interface SshServerOptions {
  /** Allow SFTP alone, below a directory. */
  readonly chroot?: boolean
  /** The command that every login with the identity runs, whatever it asks for; of which the directory is where places are made. */
  readonly forcedCommand?: (directory: string) => string
  /** More lines of sshd_config. */
  readonly settings?: readonly string[]
}

/** Starts an OpenSSH server of its own on a free port of 127.0.0.1: keys, configuration and places in a temporary directory. */
export async function startSshd(options: SshServerOptions = {}): Promise<SshServer> {
  // Below /run, and not /tmp: sshd wants no directory above a chroot that others can write to.
  const directory = mkdtempSync('/run/pipe-backup-sshd-')
  chmodSync(directory, 0o755)
  const at = (name: string) => join(directory, name)
  const keys = makeKeys(directory)
  const places = at('places')
  mkdirSync(places)
  const command = options.forcedCommand?.(places)
  writeFileSync(
    at('authorized_keys'),
    `${command ? `command=${JSON.stringify(command)},restrict ` : ''}${keys.publicKey}\n`,
  )
  const port = await freePort()
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    `PidFile ${at('pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin yes',
    'MaxStartups 100',
    'Subsystem sftp internal-sftp',
    // Bash would read the tester's ~/.bashrc for each command, unless it takes itself for the shell of a shell.
    'SetEnv SHLVL=2',
    ...(options.settings ?? []),
    ...(options.chroot ? [`ChrootDirectory ${directory}`, 'ForceCommand internal-sftp'] : []),
  ]
  writeFileSync(at('config'), `${lines.join('\n')}\n`)
  mkdirSync('/run/sshd', { recursive: true })
  const server = await startServer('/usr/sbin/sshd', ['-D', '-e', '-f', at('config')], port)
  let made = 0
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    ...keys,
    knownHostsLine: `[127.0.0.1]:${port} ${readFileSync(at('host.pub'), 'utf8')}`,
    makePlace: () => {
      const name = `place-${++made}`
      mkdirSync(join(places, name))
      const remote = options.chroot ? `/places/${name}` : command === undefined ? join(places, name) : name
      return { local: join(places, name), remote }
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Keys for a server and its client, and the server's fingerprint. */
export function makeKeys(directory: string): {
  readonly identity: string
  readonly encryptedIdentity: string
  readonly passphrase: string
  readonly strangeIdentity: string
  readonly hostKey: string
  readonly publicKey: string
} {
  const at = (name: string) => join(directory, name)
  const passphrase = 'a pass phrase'
  const generate = (name: string, phrase: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', phrase, '-C', 'test', '-f', at(name)])
  generate('host', '')
  generate('identity', '')
  generate('strange', '')
  writeFileSync(at('encrypted'), readFileSync(at('identity')), { mode: 0o600 })
  execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', passphrase, '-f', at('encrypted')])
  const shown = execFileSync('ssh-keygen', ['-l', '-f', at('host.pub')], { encoding: 'utf8' })
  return {
    identity: at('identity'),
    encryptedIdentity: at('encrypted'),
    passphrase,
    strangeIdentity: at('strange'),
    hostKey: shown.split(' ')[1] ?? '',
    publicKey: readFileSync(at('identity.pub'), 'utf8').trim(),
  }
}
