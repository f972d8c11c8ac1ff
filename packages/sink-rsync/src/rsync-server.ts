import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SinkError, unlessAborted } from '@pipe-backup/sink'
import PQueue from 'p-queue'
import { meaningOf, NO_DIRECTORY, REFUSES_FSYNC } from './rsync-errors.ts'
import type { RsyncServerOptions } from './rsync-sink-options.ts'
import { ProgramFailure, type ProgramOptions, runProgram } from './run-program.ts'
import { SshConnection } from './ssh-connection.ts'
import { remoteArgument, type Target } from './target.ts'

/** One rsync to be run. */
export interface RsyncRequest {
  readonly direction: 'push' | 'pull'
  /** A path in the directory. */
  readonly local: string
  readonly options: readonly string[]
  /** What is pulled, below the directory. Default: what the options say. */
  readonly keys?: readonly string[] | undefined
  /** To its stdin: names or rules, each with a zero byte at its end. */
  readonly input?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onLine?: ((line: string) => void) | undefined
}

const AT_ONCE = 4
/** How long a place that another rsync has is waited for: one of ours that was cut may take a moment to end there. */
const BUSY_MS = 10_000
/** After so much silence both ends give up by themselves. */
const SILENT_SECONDS = 300
/**
 * How a daemon is connected to. Without TCP_NODELAY each of the small messages of the greeting waits 40 ms, by Nagle's algorithm, until
 * the server acknowledges the one before: 60 ms instead of 150 for a small object.
 */
const DIRECTLY = ['--contimeout=20', '--sockopts=TCP_NODELAY']
/** What children are given of our environment; secrets in it are none of their business. */
const ENVIRONMENT = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SSH_AUTH_SOCK', 'RSYNC_PROXY', 'RSYNC_CONNECT_PROG']

/** Runs rsync against one directory of a server, as the server's version and rules allow. */
export class RsyncServer implements AsyncDisposable {
  readonly #options: RsyncServerOptions
  readonly #target: Target
  readonly #env: ProgramOptions['env']
  readonly #ssh: SshConnection | undefined
  readonly #lanes = new PQueue({ concurrency: AT_ONCE })
  readonly #ended = new AbortController()
  /** Until one of both sides does not know --fsync, or does not want it. */
  #syncs = true

  constructor(target: Target, options: RsyncServerOptions) {
    const { password, port, identity, agent, hostKey, knownHosts } = options
    const { type, host, user } = target
    const isBySsh = type === 'ssh' || [identity, agent, hostKey, knownHosts].some((one) => one !== undefined)
    const { signal } = this.#ended
    const kept = Object.fromEntries(ENVIRONMENT.map((name) => [name, process.env[name]]))
    // What goes to a remote shell is escaped here: rsync does so itself since 3.2.4 alone.
    const env = { ...kept, LC_ALL: 'C', TZ: 'UTC0', RSYNC_OLD_ARGS: type === 'ssh' ? '1' : undefined }
    this.#options = options
    this.#target = isBySsh ? target : { ...target, port: target.port ?? port }
    this.#env = { ...env, RSYNC_PASSWORD: password }
    if (isBySsh) this.#ssh = new SshConnection({ ...options, host, user, env, signal })
  }

  /**
   * Runs rsync against the directory.
   * @throws ProgramFailure; SinkError `unauthorized`; the signal's reason, once rsync has ended
   */
  async run(request: RsyncRequest): Promise<void> {
    const named = withNames(request, this.#target)
    const signal = AbortSignal.any([this.#ended.signal, ...(request.signal ? [request.signal] : [])])
    let mayCreate = this.#options.create ?? false
    for (let waitMs = 50, busyUntil = Date.now() + BUSY_MS; ; ) {
      const syncs = this.#syncs && request.direction === 'push'
      try {
        const run = () => this.#once({ ...named, signal }, this.#root(request), syncs)
        return await this.#lanes.add(run, { signal })
      } catch (error) {
        const meaning = error instanceof ProgramFailure ? meaningOf(error) : undefined
        const code = meaning?.code ?? (error as { readonly code?: unknown } | undefined)?.code
        // The connection may hang: also where `withTimeout` has given up.
        if (code === 'timeout' || code === 'unreachable') this.#ssh?.retire()
        // None of these has done anything yet: this is no second try, it is the first one that the server takes.
        if (syncs && error instanceof ProgramFailure && REFUSES_FSYNC.test(error.said)) {
          this.#syncs = false
        } else if (meaning?.code === 'throttled' && Date.now() < busyUntil) {
          this.#lanes.concurrency = 1
          await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted())
          waitMs = Math.min(2 * waitMs, 1000)
        } else if (mayCreate && meaning?.said === NO_DIRECTORY) {
          mayCreate = false
          await this.#lanes.add(() => this.#makeRoot(signal))
        } else {
          throw error
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sink = this.#options.name
    this.#ended.abort(new SinkError('protocol', 'was closed while it was used', { sink }))
    await this.#lanes.onIdle()
    await this.#ssh?.[Symbol.asyncDispose]()
  }

  async #once(request: RsyncRequest, remote: string, syncs: boolean): Promise<void> {
    const { direction, local, options, input, signal, onLine } = request
    const { rsyncPath, password, directory: cwd, onHeard } = this.#options
    const heard = (line: string): void => {
      onHeard()
      onLine?.(line)
    }
    const ssh = this.#ssh && (await unlessAborted(this.#ssh.command(), signal))
    // The password of a daemon behind ssh is none of ssh's business.
    const shell = password === undefined ? ssh : `env -u RSYNC_PASSWORD ${ssh}`
    const args = [
      '--from0',
      '--outbuf=L',
      `--timeout=${SILENT_SECONDS}`,
      ...(this.#target.type === 'daemon' ? ['--no-motd'] : []),
      ...(ssh === undefined ? DIRECTLY : [`--rsh=${shell}`]),
      ...(rsyncPath === undefined ? [] : [`--rsync-path=${rsyncPath}`]),
      ...(syncs ? ['--fsync'] : []),
      ...options,
      '--',
      ...(direction === 'push' ? [local, remote] : [remote, local]),
    ]
    onHeard()
    await runProgram('rsync', args, { cwd, env: this.#env, input, signal, onLine: heard })
  }

  /**
   * The directory, as an argument. Its end makes a receiver fail when there is no such directory: with a slash it would make it, and
   * the disk that should be mounted there would be taken for an empty one.
   */
  #root({ keys }: RsyncRequest): string {
    const { path, type } = this.#target
    if (path === '' || (keys && type === 'daemon')) return remoteArgument(this.#target, '.')
    return remoteArgument(this.#target, path === '/' ? '/.' : `${path}/.`)
  }

  /** Sends an empty directory of that name, into where the path begins; those above it are made on the way. */
  async #makeRoot(signal: AbortSignal): Promise<void> {
    const { type, path: wanted } = this.#target
    const path = wanted.replace(/^\/+/, '')
    await mkdir(join(this.#options.directory, 'root', path), { recursive: true, mode: 0o700 })
    const options = ['--dirs', '--no-implied-dirs', '--files-from=-']
    const base = remoteArgument(this.#target, type === 'ssh' && wanted.startsWith('/') ? '/.' : '.')
    await this.#once({ direction: 'push', local: 'root', options, input: `${path}\0`, signal }, base, false)
  }
}

/**
 * Names go to rsync's stdin. Those of a daemon from the module's root: below another directory daemons without chroot, from Debian's
 * 3.2.7 to 3.5.0, find files only to say that they have vanished.
 */
function withNames(request: RsyncRequest, { type, path }: Target): RsyncRequest {
  const { keys, options } = request
  if (!keys) return request
  const start = type === 'daemon' && path !== '' ? `${path}/./` : ''
  const input = keys.map((key) => `${start}${key}\0`).join('')
  return { ...request, options: [...options, '--files-from=-'], input }
}
