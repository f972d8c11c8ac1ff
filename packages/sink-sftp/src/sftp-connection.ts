import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SinkError } from '@pipe-backup/sink'
import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2'
import { findKnownKeys, fingerprintOf, keyType } from './known-hosts.ts'
import { explainedAlias } from './ssh-config.ts'

export interface SftpLogin {
  readonly host: string
  /** Default 22. */
  readonly port?: number | undefined
  readonly user: string
  /** File of a private key, in any format of OpenSSH. */
  readonly identity?: string | undefined
  /** Of the private key. */
  readonly passphrase?: string | undefined
  readonly password?: string | undefined
  /** Socket of an agent; with neither identity nor password the one of SSH_AUTH_SOCK. */
  readonly agent?: string | undefined
  /** The server's key: its fingerprint, `SHA256:…`. Without it the key must be in a known_hosts file. */
  readonly hostKey?: string | undefined
  /** Default `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`. */
  readonly knownHosts?: readonly string[] | undefined
}

const READY_MS = 20_000
const KEEPALIVE_MS = 15_000
/** How long a server may take to say goodbye. */
const CLOSE_MS = 1000

/** A session, and what fires when its connection is lost: ssh2 leaves some who wait for an answer without one. */
export interface SftpSession {
  readonly sftp: SFTPWrapper
  readonly lost: AbortSignal
  /** What was found out about the server, by name. */
  readonly learnt: Map<string, Promise<boolean>>
}

/** A connection that is made when it is needed, and again after it was lost. */
export class SftpConnection implements AsyncDisposable {
  readonly #sink: string
  readonly #login: SftpLogin
  #session: Promise<SftpSession> | undefined
  #client: Client | undefined
  #isClosed = false

  constructor(sink: string, login: SftpLogin) {
    this.#sink = sink
    this.#login = login
  }

  /** @throws SinkError `unauthorized` for a host key or a user that is refused; what ssh2 throws */
  session(): Promise<SftpSession> {
    // A connection that is made after the end would be closed by nobody.
    if (this.#isClosed) return Promise.reject(this.#closed())
    const session = (this.#session ??= this.#connect())
    session.catch(() => this.#forget(session))
    return session
  }

  /** Gives up the connection, with all that is under way on it. */
  drop(): void {
    this.#client?.destroy()
    this.#session = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    const client = this.#client
    this.#session = undefined
    this.#client = undefined
    if (!client) return
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    client.once('close', () => resolve())
    client.end()
    const timer = setTimeout(() => {
      client.destroy()
      // One that never connected emits no `close`.
      resolve()
    }, CLOSE_MS)
    await closed
    clearTimeout(timer)
  }

  #closed(): SinkError {
    return new SinkError('protocol', 'was closed while it was used', { sink: this.#sink })
  }

  #forget(session: Promise<SftpSession>): void {
    if (this.#session === session) this.#session = undefined
  }

  async #connect(): Promise<SftpSession> {
    const { Client } = await import('ssh2')
    let refusal: SinkError | undefined
    const config = await this.#config((error) => {
      refusal = error
    })
    if (this.#isClosed) throw this.#closed()
    const client = new Client()
    this.#client = client
    // A connection reports its end more than once: that it was not ready in time, and then that it was lost. Who connects hears the
    // first; later ones end the connection, and a caller that waits for an answer hears it from ssh2.
    client.on('error', () => undefined)
    client.once('close', () => {
      if (this.#client !== client) return
      this.#client = undefined
      this.#session = undefined
    })
    const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
      client.once('error', (error) => reject(refusal ?? error))
      client.once('close', () => reject(refusal ?? new Error('closed by the server')))
      client.once('ready', () => {
        // Without it Nagle's algorithm holds every request back until the one before is acknowledged.
        client.setNoDelay(true)
        client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp)))
      })
      try {
        client.connect(config)
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause)
        reject(
          new SinkError('unauthorized', `the private key can't be used: ${message}`, {
            sink: this.#sink,
            cause,
          }),
        )
      }
    }).catch(async (error: unknown) => {
      client.destroy()
      // One that never connected emits no `close`.
      if (this.#client === client) this.#client = undefined
      throw this.#isClosed ? this.#closed() : await explainedAlias(error, this.#login.host, this.#sink)
    })
    const lost = new AbortController()
    client.once('close', () => lost.abort(new Error('lost')))
    // An answer that is none, later on: nobody may be left waiting, and an error that nobody hears would end the process.
    sftp.on('error', (error: Error) => {
      lost.abort(error)
      client.destroy()
    })
    return { sftp, lost: lost.signal, learnt: new Map() }
  }

  async #config(refuse: (error: SinkError) => void): Promise<ConnectConfig> {
    const { host, port = 22, user, identity, passphrase, password } = this.#login
    const agent =
      this.#login.agent ??
      (identity === undefined && password === undefined ? process.env['SSH_AUTH_SOCK'] : undefined)
    const known = await this.#knownKeys(host, port)
    const types = [...new Set(known.trusted.map(keyType))]
    return {
      host,
      port,
      username: user,
      readyTimeout: READY_MS,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: 3,
      ...(identity !== undefined && { privateKey: await this.#privateKey(identity) }),
      ...(passphrase !== undefined && { passphrase }),
      ...(password !== undefined && { password }),
      ...(agent !== undefined && { agent }),
      // A server with several keys must show one that is known.
      ...(types.length > 0 &&
        this.#login.hostKey === undefined && { algorithms: { serverHostKey: algorithmsOf(types) } }),
      hostVerifier: (key: Buffer) => {
        const error = this.#judge(key, known)
        if (error) refuse(error)
        return error === undefined
      },
    }
  }

  async #privateKey(path: string): Promise<Buffer> {
    try {
      return await readFile(path)
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
      throw new SinkError('unauthorized', `the private key ${path} can't be read (${why})`, {
        sink: this.#sink,
        cause,
      })
    }
  }

  async #knownKeys(host: string, port: number): Promise<ReturnType<typeof findKnownKeys>> {
    const paths = this.#login.knownHosts ?? [join(homedir(), '.ssh/known_hosts'), '/etc/ssh/ssh_known_hosts']
    const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')))
    return findKnownKeys(texts.join('\n'), host, port)
  }

  #judge(key: Buffer, { trusted, revoked }: ReturnType<typeof findKnownKeys>): SinkError | undefined {
    const { host, port = 22, hostKey } = this.#login
    const seen = fingerprintOf(key)
    const refused = (what: string, hint: string) =>
      new SinkError('unauthorized', what, { sink: this.#sink, hint })
    if (revoked.some((one) => one.equals(key))) {
      return refused(`the server's key ${seen} is revoked`, 'Find out what happened to the server.')
    }
    const known = hostKey === undefined ? trusted.map(fingerprintOf) : [hostKey.replace(/=+$/, '')]
    if (known.includes(seen)) return undefined
    const compare = `ssh-keyscan -p ${port} ${host} | ssh-keygen -lf -`
    return known.length === 0
      ? refused(
          `the server's key ${seen} is not known`,
          `Compare it with what the server's owner says, then put hostKey: "${seen}" into the configuration (${compare}).`,
        )
      : refused(
          `the server's key is ${seen}, and should be ${known.join(' or ')}`,
          'Another machine answers in its place, or its key was changed: ask its owner before you change hostKey.',
        )
  }
}

type HostKeyAlgorithm =
  | 'ssh-ed25519'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp384'
  | 'ecdsa-sha2-nistp521'
  | 'rsa-sha2-512'
  | 'rsa-sha2-256'

function algorithmsOf(types: readonly string[]): HostKeyAlgorithm[] {
  const all: readonly HostKeyAlgorithm[] = [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ]
  return all.filter((name) => types.includes(name.startsWith('rsa-') ? 'ssh-rsa' : name))
}
