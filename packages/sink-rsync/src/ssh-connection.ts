import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, constants, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SinkError } from '@pipe-backup/sink'
import { NOT_STARTED, ProgramFailure, runProgram } from './run-program.ts'

export interface SshLogin {
  /** Default: that of ~/.ssh/config, or 22. */
  readonly port?: number | undefined
  /** File of a private key without a passphrase; one with a passphrase belongs into an agent. Default: those of ~/.ssh/config, and the agent's. */
  readonly identity?: string | undefined
  /** Socket of an agent. Default: that of SSH_AUTH_SOCK. */
  readonly agent?: string | undefined
  /** The server's key: its fingerprint, `SHA256:…`. Without it the key must be in a known_hosts file. */
  readonly hostKey?: string | undefined
  /** Default: those of ~/.ssh/config, or `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`. */
  readonly knownHosts?: readonly string[] | undefined
}

export interface SshConnectionOptions {
  readonly sink: string
  readonly host: string
  readonly user?: string | undefined
  readonly login: SshLogin
  /** A private directory, for the configuration and the socket; all programs run in it. */
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  /** Ends what is under way. */
  readonly signal: AbortSignal
}

const END_MS = 2000
const ALIAS = 'pipe-backup-pinned'
const CONFIGURATION = 'ssh_config'
/** What is not left to ~/.ssh/config. */
const FIXED = [
  'StrictHostKeyChecking yes',
  'UpdateHostKeys no',
  'VerifyHostKeyDNS no',
  'BatchMode yes',
  'ConnectTimeout 20',
  'ConnectionAttempts 1',
  'ServerAliveInterval 15',
  'ServerAliveCountMax 3',
  'ClearAllForwardings yes',
  'ForwardAgent no',
  'PermitLocalCommand no',
  'RemoteCommand none',
  'RequestTTY no',
  'Compression no',
  'LogLevel ERROR',
  // The first makes the connection, and it is kept when nobody uses it, for so many seconds: also its end, when this process is killed.
  'ControlMaster auto',
  'ControlPersist 30',
]

/**
 * One ssh connection that all rsyncs share, by ssh itself: each is a session on it, so that a key's forced command runs for each, and only
 * the first pays for the handshake. A server that allows one session per connection gets connections instead.
 */
export class SshConnection implements AsyncDisposable {
  readonly #options: SshConnectionOptions
  readonly #host: string
  #configuring: Promise<void> | undefined
  #generation = 0

  constructor(options: SshConnectionOptions) {
    this.#options = options
    this.#host = options.host.replace(/^\[(.*)\]$/, '$1')
  }

  /** @returns how ssh is to be run, in the directory @throws SinkError `unauthorized`; ProgramFailure with what ssh said */
  async command(): Promise<string> {
    const configuring = (this.#configuring ??= this.#configure())
    try {
      await configuring
    } catch (error) {
      this.#configuring = undefined
      throw error
    }
    return `ssh ${this.#arguments().join(' ')}`
  }

  /** The next rsync makes a connection of its own: this one may hang. It ends by itself, when nobody is on it any more. */
  retire(): void {
    this.#generation++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { directory, env } = this.#options
    if (!existsSync(join(directory, this.#socket()))) return
    const args = [...this.#arguments(), '-O', 'exit', '--', this.#host]
    const signal = AbortSignal.timeout(END_MS)
    // One that can't be reached ends by itself.
    await runProgram('ssh', args, { cwd: directory, env, signal }).catch(() => undefined)
  }

  /** Below the directory, for a socket's path has 108 bytes at most. */
  #socket(): string {
    return `c${this.#generation}`
  }

  #arguments(): string[] {
    return ['-F', CONFIGURATION, '-o', `ControlPath=${this.#socket()}`]
  }

  /** rsync gives ssh the host, all else is here. */
  async #configure(): Promise<void> {
    const { login, directory, user } = this.#options
    const { port, identity, agent } = login
    if (identity !== undefined) await this.#checkReadable(identity)
    const lines = [
      ...(port === undefined ? [] : [`Port ${port}`]),
      ...(user === undefined ? [] : [`User ${quote(user)}`]),
      ...(identity === undefined ? [] : [`IdentityFile ${quote(identity)}`, 'IdentitiesOnly yes']),
      ...(agent === undefined ? [] : [`IdentityAgent ${quote(agent)}`]),
      ...(await this.#trust(login)),
      ...FIXED,
      // The first value that is found counts: aliases, jump hosts and the like still work.
      'Include ~/.ssh/config',
      'Include /etc/ssh/ssh_config',
    ]
    await writeFile(join(directory, CONFIGURATION), `${lines.join('\n')}\n`, { mode: 0o600 })
  }

  async #trust({ hostKey, knownHosts }: SshLogin): Promise<string[]> {
    if (hostKey === undefined && knownHosts === undefined) return []
    const files = hostKey === undefined ? knownHosts : [await this.#pin(hostKey)]
    return [
      ...(hostKey === undefined ? [] : [`HostKeyAlias ${ALIAS}`]),
      `UserKnownHostsFile ${files?.map(quote).join(' ') || '/dev/null'}`,
      'GlobalKnownHostsFile /dev/null',
    ]
  }

  /**
   * Asks for the server's keys, and writes the one with the fingerprint into a known_hosts file: ssh itself knows no fingerprints.
   * @returns the file
   */
  async #pin(hostKey: string): Promise<string> {
    const { sink, directory, login, env, signal } = this.#options
    const seen = new Map<string, string>()
    const onLine = (line: string) => {
      const [, type, key] = line.split(' ')
      if (line.startsWith('#') || type === undefined || key === undefined) return
      const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64')
      seen.set(`SHA256:${digest.replace(/=+$/, '')}`, `${ALIAS} ${type} ${key}\n`)
    }
    const port = login.port === undefined ? [] : ['-p', `${login.port}`]
    const args = ['-T', '20', ...port, '--', this.#host]
    let said = ''
    try {
      await runProgram('ssh-keyscan', args, { cwd: directory, env, signal, onLine })
    } catch (error) {
      if (!(error instanceof ProgramFailure) || error.exitCode === NOT_STARTED) throw error
      said = error.said.replace(/^#.*$/gm, '').trim()
    }
    if (seen.size === 0)
      throw new ProgramFailure('ssh-keyscan', 255, said || 'the server shows no key: Connection closed')
    const line = seen.get(hostKey.replace(/=+$/, ''))
    if (line === undefined) {
      const what = `the server's key is ${[...seen.keys()].join(' or ')}, and should be ${hostKey}`
      const hint =
        'Another machine answers in its place, or its key was changed: ask its owner before you change hostKey.'
      throw new SinkError('unauthorized', what, { sink, hint })
    }
    const path = join(directory, 'known_hosts')
    await writeFile(path, line, { mode: 0o600 })
    return path
  }

  async #checkReadable(identity: string): Promise<void> {
    try {
      await access(identity, constants.R_OK)
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
      const what = `the private key ${identity} can't be read (${why})`
      throw new SinkError('unauthorized', what, { sink: this.#options.sink, cause })
    }
  }
}

/** A value of ssh_config(5): in quotes, and its tokens as they stand. */
function quote(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`
}
