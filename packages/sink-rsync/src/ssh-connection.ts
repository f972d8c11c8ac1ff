import { createHash } from 'node:crypto'
import { access, constants, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SinkError } from '@pipe-backup/sink'
import type { RsyncServerOptions } from './rsync-sink-options.ts'
import { NOT_STARTED, ProgramFailure, type ProgramOptions, runProgram } from './run-program.ts'

export interface SshConnectionOptions extends RsyncServerOptions {
  readonly host: string
  readonly user?: string | undefined
  readonly env: ProgramOptions['env']
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
    await (this.#configuring ??= this.#configure().catch((error: unknown) => {
      this.#configuring = undefined
      throw error
    }))
    return `ssh ${this.#arguments().join(' ')}`
  }

  /** The next rsync makes a connection of its own: this one may hang. It ends when nobody is on it any more. */
  retire(): void {
    void this.#control('stop')
    this.#generation++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control('exit')
  }

  /** One that can't be reached ends by itself, if there is one. */
  async #control(command: 'stop' | 'exit'): Promise<void> {
    const { directory, env } = this.#options
    const options = { cwd: directory, env, signal: AbortSignal.timeout(END_MS) }
    const args = [...this.#arguments(), '-O', command, '--', this.#host]
    await runProgram('ssh', args, options).catch(() => undefined)
  }

  /** The socket is below the directory, for its path has 108 bytes at most. */
  #arguments(): string[] {
    return ['-F', CONFIGURATION, '-o', `ControlPath=c${this.#generation}`]
  }

  /** rsync gives ssh the host, all else is here. */
  async #configure(): Promise<void> {
    const { directory, user, port, identity, agent } = this.#options
    if (identity !== undefined) {
      await access(identity, constants.R_OK).catch((cause: NodeJS.ErrnoException) => {
        const what = `the private key ${identity} can't be read (${cause.code})`
        throw new SinkError('unauthorized', what, { sink: this.#options.name, cause })
      })
    }
    const lines = [
      ...(port === undefined ? [] : [`Port ${port}`]),
      ...(user === undefined ? [] : [`User ${quote(user)}`]),
      ...(identity === undefined ? [] : [`IdentityFile ${quote(identity)}`, 'IdentitiesOnly yes']),
      ...(agent === undefined ? [] : [`IdentityAgent ${quote(agent)}`]),
      ...(await this.#trust()),
      ...FIXED,
      // The first value that is found counts: aliases, jump hosts and the like still work.
      'Include ~/.ssh/config',
      'Include /etc/ssh/ssh_config',
    ]
    await writeFile(join(directory, CONFIGURATION), `${lines.join('\n')}\n`, { mode: 0o600 })
  }

  async #trust(): Promise<string[]> {
    const { hostKey, knownHosts } = this.#options
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
    const { name: sink, directory, port, env, signal } = this.#options
    const seen = new Map<string, string>()
    const onLine = (line: string) => {
      const [, type, key] = line.split(' ')
      if (line.startsWith('#') || type === undefined || key === undefined) return
      const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64')
      seen.set(`SHA256:${digest.replace(/=+$/, '')}`, `${ALIAS} ${type} ${key}\n`)
    }
    const args = ['-T', '20', ...(port === undefined ? [] : ['-p', `${port}`]), '--', this.#host]
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
}

/** A value of ssh_config(5): in quotes, and its tokens as they stand. */
function quote(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`
}
