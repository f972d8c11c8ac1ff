import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SinkError, unlessAborted } from '@pipe-backup/sink'
import PQueue from 'p-queue'
import type { MemorySpool } from './memory-spool.ts'
import { isBusy, isNoDirectory, isOfConnection, refusesFsync } from './rsync-errors.ts'
import type { RsyncSinkOptions } from './rsync-sink-options.ts'
import { ProgramFailure, runProgram } from './run-program.ts'
import { SshConnection } from './ssh-connection.ts'
import { remoteArgument, type Target } from './target.ts'

/** One rsync to be run. */
export interface RsyncRequest {
  readonly direction: 'push' | 'pull'
  /** A path in the spool. */
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
  readonly #options: RsyncSinkOptions
  readonly #target: Target
  readonly #spool: MemorySpool
  readonly #onHeard: () => void
  readonly #env: Readonly<Record<string, string>>
  readonly #ssh: SshConnection | undefined
  readonly #lanes = new PQueue({ concurrency: AT_ONCE })
  readonly #ended = new AbortController()
  /** Whether both sides know --fsync. */
  #syncs: Promise<boolean> | undefined

  /** @param onHeard - called when anything was heard of any rsync */
  constructor(options: RsyncSinkOptions, target: Target, spool: MemorySpool, onHeard: () => void) {
    const { name: sink, password, identity, agent, hostKey, knownHosts } = options
    const kept = ENVIRONMENT.map((name) => [name, process.env[name]]).filter(
      ([, value]) => value !== undefined,
    )
    const env = { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC0' }
    this.#options = options
    this.#spool = spool
    this.#onHeard = onHeard
    this.#env = password === undefined ? env : { ...env, RSYNC_PASSWORD: password }
    const overSsh = [identity, agent, hostKey, knownHosts].some((one) => one !== undefined)
    if (target.type === 'daemon' && !overSsh) {
      this.#target = { ...target, port: target.port ?? options.port }
    } else {
      this.#target = target
      const { host, user } = target
      const { signal } = this.#ended
      this.#ssh = new SshConnection({ sink, host, user, login: options, directory: spool.path, env, signal })
    }
  }

  /**
   * Runs rsync against the directory.
   * @throws ProgramFailure; SinkError `unauthorized`; the signal's reason, once rsync has ended
   */
  async run(request: RsyncRequest): Promise<void> {
    const named = withNames(request, this.#target)
    const { signal: ended } = this.#ended
    const signal = request.signal ? AbortSignal.any([request.signal, ended]) : ended
    let mayCreate = this.#options.create ?? false
    for (let waitMs = 50, busyUntil = Date.now() + BUSY_MS; ; ) {
      const syncs = (await this.#doesSync()) && request.direction === 'push'
      try {
        return await this.#once({ ...named, signal }, this.#root(request), syncs)
      } catch (error) {
        if (!(error instanceof ProgramFailure)) throw error
        // None of these has done anything yet: this is no second try, it is the first one that the server takes.
        if (syncs && refusesFsync(error)) {
          this.#syncs = Promise.resolve(false)
        } else if (isBusy(error) && Date.now() < busyUntil) {
          this.#lanes.concurrency = 1
          await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted())
          waitMs = Math.min(2 * waitMs, 1000)
        } else if (mayCreate && isNoDirectory(error)) {
          mayCreate = false
          await this.#makeRoot(signal)
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

  /** When it is its turn. */
  #once(request: RsyncRequest, remote: string, syncs: boolean): Promise<void> {
    const { direction, local, options, input, signal, onLine } = request
    const { rsyncPath } = this.#options
    const run = async (): Promise<void> => {
      const ssh = this.#ssh && (await unlessAborted(this.#ssh.command(), signal))
      // The password of a daemon behind ssh is none of ssh's business.
      const shell = 'RSYNC_PASSWORD' in this.#env ? `env -u RSYNC_PASSWORD ${ssh}` : ssh
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
      this.#onHeard()
      const heard = (line: string) => {
        this.#onHeard()
        onLine?.(line)
      }
      await runProgram('rsync', args, { cwd: this.#spool.path, env: this.#env, input, signal, onLine: heard })
    }
    return this.#lanes.add(
      async () => {
        try {
          await run()
        } catch (error) {
          // The connection may hang: also where `withTimeout` has given up.
          const isSilent = error instanceof Error && 'code' in error && error.code === 'timeout'
          if (isSilent || (error instanceof ProgramFailure && isOfConnection(error) && !isBusy(error)))
            this.#ssh?.retire()
          throw error
        }
      },
      { signal },
    )
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
    const local = this.#spool.newDirectory()
    try {
      await mkdir(join(this.#spool.path, local, path), { recursive: true, mode: 0o700 })
      const options = ['--dirs', '--no-implied-dirs', '--files-from=-']
      const base = type === 'ssh' && wanted.startsWith('/') ? '/.' : '.'
      const request: RsyncRequest = { direction: 'push', local, options, input: `${path}\0`, signal }
      await this.#once(request, remoteArgument(this.#target, base), false)
    } finally {
      await this.#spool.remove(local)
    }
  }

  async #doesSync(): Promise<boolean> {
    const asking = (this.#syncs ??= this.#isRecent())
    try {
      return await asking
    } catch (error) {
      this.#syncs = undefined
      throw error
    }
  }

  /**
   * Whether the rsync here is 3.2.4 or newer: it knows --fsync, and escapes its arguments for a remote shell.
   * @throws ProgramFailure when there is none; SinkError `protocol` when it is too old
   */
  async #isRecent(): Promise<boolean> {
    let version = ''
    const onLine = (line: string) => {
      version ||= /^rsync +version v?(\d+\.\d+\.\d+)/.exec(line)?.[1] ?? ''
    }
    await runProgram('rsync', ['--version'], { cwd: this.#spool.path, env: this.#env, onLine })
    const isAtLeast = (wanted: string) => version.localeCompare(wanted, 'en', { numeric: true }) >= 0
    const { type, path } = this.#target
    const isRecent = isAtLeast('3.2.4')
    const why = !isAtLeast('3.1.0')
      ? 'is too old: 3.1.0 is needed'
      : !isRecent && type === 'ssh' && !/^[\w./~+@,=-]*$/.test(path)
        ? "can't hand this path to a remote shell"
        : undefined
    if (why === undefined) return isRecent
    const hint = 'Install a newer rsync on this machine.'
    throw new SinkError('protocol', `rsync ${version} ${why}`, { sink: this.#options.name, hint })
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
