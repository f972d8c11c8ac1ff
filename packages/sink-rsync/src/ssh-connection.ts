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
  /** A private directory, for the configuration and the socket. */
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
}

/** How long the shared connection is kept without anybody using it: also its end, when this process is killed. */
const PERSIST_SECONDS = 30
const START_MS = 45_000
const END_MS = 2000
/** A socket's path has 108 bytes, and ssh puts a random end of 17 to it while it makes one. */
const LONGEST_SOCKET = 85
const ALIAS = 'pipe-backup-pinned'

/**
 * One ssh connection that all rsyncs share: each is a session on it, so that a key's forced command runs for each, and only the
 * first pays for the handshake. A server that allows one session per connection gets connections instead, by ssh itself.
 */
export class SshConnection implements AsyncDisposable {
  readonly #options: SshConnectionOptions
  #knownHosts: Promise<string> | undefined
  #configuration: Promise<string> | undefined
  #starting: Promise<void> | undefined
  #generation = 0
  readonly #ended = new AbortController()

  constructor(options: SshConnectionOptions) {
    this.#options = options
  }

  /**
   * Connects, unless that is done.
   * @returns the name of the configuration file that ssh is to be run with, in the directory
   * @throws SinkError `unauthorized`; ProgramFailure with what ssh said
   */
  async ready(): Promise<string> {
    const configuration = await (this.#configuration ??= this.#configure())
    const socket = this.#socket()
    if (socket === undefined || existsSync(socket)) return configuration
    const starting = (this.#starting ??= this.#start(configuration))
    try {
      await starting
    } finally {
      if (this.#starting === starting) this.#starting = undefined
    }
    return configuration
  }

  /** Uses the connection no longer: it may hang. Who is on it may end. */
  retire(): void {
    const configuration = this.#configuration
    this.#configuration = undefined
    this.#starting = undefined
    // A connection that can't be reported to stop ends by itself, when nobody has used it for a while.
    if (configuration) this.#control('stop', configuration).catch(() => undefined)
    this.#generation++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A server that says nothing would be waited for.
    this.#ended.abort()
    await this.#starting?.catch(() => undefined)
    // One that can't be reported ends by itself.
    if (this.#configuration) await this.#control('exit', this.#configuration).catch(() => undefined)
  }

  #socket(): string | undefined {
    const path = join(this.#options.directory, `c${this.#generation}`)
    return Buffer.byteLength(path) > LONGEST_SOCKET ? undefined : path
  }

  async #start(configuration: string): Promise<void> {
    const options = ['-o', 'ControlMaster=yes', '-o', `ControlPersist=${PERSIST_SECONDS}`]
    const signal = AbortSignal.any([AbortSignal.timeout(START_MS), this.#ended.signal])
    await this.#run('ssh', ['-F', configuration, ...options, '-fN', '--', this.#host()], { signal })
  }

  async #control(command: 'stop' | 'exit', configuration: Promise<string>): Promise<void> {
    const signal = AbortSignal.timeout(END_MS)
    const args = ['-F', await configuration, '-O', command, '--', this.#host()]
    await this.#run('ssh', args, { signal })
  }

  /** Written for each connection again: rsync gives ssh the host, all else is here. */
  async #configure(): Promise<string> {
    const { login, directory, user } = this.#options
    const { port, identity, agent } = login
    const socket = this.#socket()
    const name = `ssh_config.${this.#generation}`
    if (identity !== undefined) await this.#checkReadable(identity)
    const lines = [
      ...(port === undefined ? [] : [`Port ${port}`]),
      ...(user === undefined ? [] : [`User ${quote(user)}`]),
      ...(identity === undefined ? [] : [`IdentityFile ${quote(identity)}`, 'IdentitiesOnly yes']),
      ...(agent === undefined ? [] : [`IdentityAgent ${quote(agent)}`]),
      ...(await this.#trust()),
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
      'ControlMaster no',
      `ControlPath ${socket === undefined ? 'none' : quote(socket)}`,
      // The first value that is found counts: aliases, jump hosts and the like still work.
      'Include ~/.ssh/config',
      'Include /etc/ssh/ssh_config',
    ]
    await writeFile(join(directory, name), `${lines.join('\n')}\n`, { mode: 0o600 })
    return name
  }

  async #trust(): Promise<string[]> {
    const { hostKey, knownHosts } = this.#options.login
    if (hostKey !== undefined) {
      const pinning = (this.#knownHosts ??= this.#pin(hostKey))
      pinning.catch(() => {
        this.#knownHosts = undefined
      })
      return [
        `HostKeyAlias ${ALIAS}`,
        `UserKnownHostsFile ${quote(await pinning)}`,
        'GlobalKnownHostsFile /dev/null',
      ]
    }
    if (knownHosts === undefined) return []
    const files = knownHosts.length === 0 ? '/dev/null' : knownHosts.map(quote).join(' ')
    return [`UserKnownHostsFile ${files}`, 'GlobalKnownHostsFile /dev/null']
  }

  /** Asks for the server's keys, and writes the one with the fingerprint into a known_hosts file: ssh itself knows no fingerprints. */
  async #pin(hostKey: string): Promise<string> {
    const { sink, directory, login } = this.#options
    const seen = new Map<string, string>()
    let said = ''
    const onLine = (line: string) => {
      const [, type, key] = line.split(' ')
      if (line.startsWith('#') || type === undefined || key === undefined) return
      const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64')
      seen.set(`SHA256:${digest.replace(/=+$/, '')}`, `${ALIAS} ${type} ${key}\n`)
    }
    const port = login.port === undefined ? [] : ['-p', `${login.port}`]
    const signal = AbortSignal.any([AbortSignal.timeout(START_MS), this.#ended.signal])
    try {
      await this.#run('ssh-keyscan', ['-T', '20', ...port, '--', this.#host()], { onLine, signal })
    } catch (error) {
      if (!(error instanceof ProgramFailure) || error.exitCode === NOT_STARTED) throw error
      said = error.said.replace(/^#.*$/gm, '').trim()
    }
    if (seen.size === 0)
      throw new ProgramFailure('ssh-keyscan', 255, said || 'the server shows no key: Connection closed')
    const line = seen.get(hostKey.replace(/=+$/, ''))
    if (line === undefined) {
      throw new SinkError(
        'unauthorized',
        `the server's key is ${[...seen.keys()].join(' or ')}, and should be ${hostKey}`,
        {
          sink,
          hint: 'Another machine answers in its place, or its key was changed: ask its owner before you change hostKey.',
        },
      )
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
      throw new SinkError('unauthorized', `the private key ${identity} can't be read (${why})`, {
        sink: this.#options.sink,
        cause,
      })
    }
  }

  #host(): string {
    return this.#options.host.replace(/^\[(.*)\]$/, '$1')
  }

  async #run(
    program: string,
    args: readonly string[],
    options: { readonly signal: AbortSignal; readonly onLine?: (line: string) => void },
  ): Promise<void> {
    const { directory, env } = this.#options
    try {
      await runProgram(program, args, { cwd: directory, env, ...options })
    } catch (error) {
      if (!options.signal.aborted) throw error
      throw new ProgramFailure(program, 255, 'the server does not answer: connection timed out')
    }
  }
}

/** A value of ssh_config(5): in quotes, and its tokens as they stand. */
function quote(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`
}
