import { setTimeout as sleep } from 'node:timers/promises'
import { SinkError, unlessAborted } from '@pipe-backup/sink'
import PQueue from 'p-queue'
import type { MemorySpool } from './memory-spool.ts'
import { isBusy, isNoDirectory, isOfConnection, refusesFsync } from './rsync-errors.ts'
import { ProgramFailure, runProgram } from './run-program.ts'
import { SshConnection, type SshLogin } from './ssh-connection.ts'
import { remoteArgument, type Target } from './target.ts'

export interface RsyncServerOptions extends SshLogin {
  readonly sink: string
  readonly target: Target
  /** Of a daemon's user. */
  readonly password?: string | undefined
  readonly create: boolean
  /** What rsync is called on the server. */
  readonly rsyncPath?: string | undefined
}

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
  /** Something has moved. */
  readonly onHeard?: (() => void) | undefined
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

interface LocalRsync {
  readonly fsync: boolean
  /** Arguments are escaped for the remote shell. */
  readonly escapes: boolean
}

/** Runs rsync against one directory of a server, as the server's version and rules allow. */
export class RsyncServer implements AsyncDisposable {
  readonly #options: RsyncServerOptions
  readonly #spool: MemorySpool
  readonly #env: Readonly<Record<string, string>>
  readonly #ssh: SshConnection | undefined
  readonly #lanes = new PQueue({ concurrency: AT_ONCE })
  readonly #ended = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  #local: Promise<LocalRsync> | undefined
  #serverSyncs = true

  constructor(options: RsyncServerOptions, spool: MemorySpool) {
    const { sink, target, password, port, identity, agent, hostKey, knownHosts } = options
    this.#options = options
    this.#spool = spool
    const kept = ENVIRONMENT.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value] as const]
    })
    const env = { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC0' }
    this.#env = password === undefined ? env : { ...env, RSYNC_PASSWORD: password }
    const overSsh = [identity, agent, hostKey, knownHosts].some((one) => one !== undefined)
    if (target.type === 'ssh' || overSsh) {
      const { host, user } = target
      const login = { sink, host, login: options, directory: spool.path, env }
      this.#ssh = new SshConnection(user === undefined ? login : { ...login, user })
    } else if (port !== undefined) {
      this.#options = { ...options, target: { port, ...target } }
    }
  }

  /**
   * Runs rsync against the directory.
   * @throws ProgramFailure; SinkError `unauthorized`; the signal's reason, once rsync has ended
   */
  run(request: RsyncRequest): Promise<void> {
    return this.#track(this.#untilDone(named(request, this.#options.target), this.#root(request)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { sink } = this.#options
    this.#ended.abort(new SinkError('protocol', 'was closed while it was used', { sink }))
    await Promise.allSettled(this.#underWay)
    await this.#ssh?.[Symbol.asyncDispose]()
  }

  async #track(running: Promise<void>): Promise<void> {
    this.#underWay.add(running)
    try {
      await running
    } finally {
      this.#underWay.delete(running)
    }
  }

  async #untilDone(request: RsyncRequest, remote: string): Promise<void> {
    let mayCreate = this.#options.create
    for (let waitMs = 50, busyUntil = Date.now() + BUSY_MS; ; ) {
      const { fsync } = await this.#knowLocal()
      const asksForSync = request.direction === 'push' && fsync && this.#serverSyncs
      const signal = request.signal
        ? AbortSignal.any([request.signal, this.#ended.signal])
        : this.#ended.signal
      try {
        return await this.#lanes.add(() => this.#once({ ...request, signal }, remote, asksForSync), {
          signal,
        })
      } catch (error) {
        if (!(error instanceof ProgramFailure)) throw error
        // None of these has done anything yet: this is no second try, it is the first one that the server takes.
        if (asksForSync && refusesFsync(error)) {
          this.#serverSyncs = false
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

  async #once(request: RsyncRequest, remote: string, asksForSync: boolean): Promise<void> {
    const { direction, local, options, input, signal, onLine, onHeard } = request
    const { rsyncPath, target } = this.#options
    const argsFor = (ssh: string | undefined): string[] => [
      '--from0',
      '--outbuf=L',
      `--timeout=${SILENT_SECONDS}`,
      ...(target.type === 'daemon' ? ['--no-motd'] : []),
      ...(ssh === undefined ? DIRECTLY : ['-e', this.#shell(ssh)]),
      ...(rsyncPath === undefined ? [] : [`--rsync-path=${rsyncPath}`]),
      ...(asksForSync ? ['--fsync'] : []),
      ...options,
      '--',
      ...(direction === 'push' ? [local, remote] : [remote, local]),
    ]
    try {
      const ssh = this.#ssh && (await unlessAborted(this.#ssh.ready(), signal))
      onHeard?.()
      await runProgram('rsync', argsFor(ssh), {
        cwd: this.#spool.path,
        env: this.#env,
        input,
        signal,
        onLine,
        onHeard,
      })
    } catch (error) {
      if (isSilence(error) || (error instanceof ProgramFailure && isOfConnection(error) && !isBusy(error)))
        this.#ssh?.retire()
      throw error
    }
  }

  /** What rsync runs to get there; the password of a daemon behind ssh is none of ssh's business. */
  #shell(configuration: string): string {
    const hidden = 'RSYNC_PASSWORD' in this.#env ? 'env -u RSYNC_PASSWORD ' : ''
    return `${hidden}ssh -F ${configuration}`
  }

  /**
   * The directory, as an argument. Its end makes a receiver fail when there is no such directory: with a slash it would make it, and
   * the disk that should be mounted there would be taken for an empty one.
   */
  #root({ keys }: RsyncRequest): string {
    const { path, type } = this.#options.target
    if (keys && type === 'daemon') return remoteArgument(this.#options.target, '.')
    return remoteArgument(this.#options.target, path === '' ? '.' : path === '/' ? '/.' : `${path}/.`)
  }

  /** Sends an empty directory of that name, into where the path begins; those above it are made on the way. */
  async #makeRoot(signal: AbortSignal): Promise<void> {
    const { target } = this.#options
    const path = target.path.replace(/^\/+/, '')
    const name = this.#spool.newDirectory()
    try {
      const { mkdir } = await import('node:fs/promises')
      await mkdir(`${this.#spool.path}/${name}/${path}`, { recursive: true, mode: 0o700 })
      const request: RsyncRequest = {
        direction: 'push',
        local: name,
        options: ['--dirs', '--no-implied-dirs', '--files-from=-'],
        input: `${path}\0`,
      }
      const base = target.type === 'ssh' && target.path.startsWith('/') ? '/.' : '.'
      await this.#lanes.add(() => this.#once({ ...request, signal }, remoteArgument(target, base), false))
    } finally {
      await this.#spool.remove(name)
    }
  }

  #knowLocal(): Promise<LocalRsync> {
    const knowing = (this.#local ??= this.#ask())
    knowing.catch(() => {
      this.#local = undefined
    })
    return knowing
  }

  /** @throws ProgramFailure when there is no rsync here; SinkError `protocol` when it is too old */
  async #ask(): Promise<LocalRsync> {
    let version = [0, 0, 0]
    const onLine = (line: string) => {
      const found = /^rsync +version v?(\d+)\.(\d+)\.(\d+)/.exec(line)
      if (found) version = found.slice(1).map(Number)
    }
    await runProgram('rsync', ['--version'], { cwd: this.#spool.path, env: this.#env, onLine })
    const { sink, target } = this.#options
    const local = { fsync: isAtLeast(version, [3, 2, 4]), escapes: isAtLeast(version, [3, 2, 4]) }
    const hint = 'Install a newer rsync on this machine.'
    if (!isAtLeast(version, [3, 1, 0]))
      throw new SinkError('protocol', `rsync ${version.join('.')} is too old: 3.1.0 is needed`, {
        sink,
        hint,
      })
    if (target.type === 'ssh' && !local.escapes && !/^[\w./~+@,=-]*$/.test(target.path)) {
      throw new SinkError('protocol', `rsync ${version.join('.')} can't hand this path to a remote shell`, {
        sink,
        hint,
      })
    }
    return local
  }
}

/**
 * Names go to rsync's stdin. Those of a daemon from the module's root: below another directory daemons without chroot, from Debian's
 * 3.2.7 to 3.5.0, find files only to say that they have vanished.
 */
function named(request: RsyncRequest, { type, path }: Target): RsyncRequest {
  const { keys, options } = request
  if (!keys) return request
  const start = type === 'daemon' && path !== '' ? `${path}/./` : ''
  const input = keys.map((key) => `${start}${key}\0`).join('')
  return { ...request, options: [...options, '--files-from=-'], input }
}

function isAtLeast(version: readonly number[], wanted: readonly number[]): boolean {
  for (const [i, number] of wanted.entries()) {
    const has = version[i] ?? 0
    if (has !== number) return has > number
  }
  return true
}

/** Whether `withTimeout` has given up. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'timeout'
}
