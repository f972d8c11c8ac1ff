import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'

export interface ConnectionsOptions {
  /** Certificate authorities to trust instead of the system's, PEM. */
  readonly ca?: string | undefined
  /** Idle connections are closed after so long, which is to be before the server does it: a request on one that it has just closed fails. Default 4 s (Apache: 5 s). */
  readonly idleMs?: number | undefined
  /** To one server. Default any number. */
  readonly maxSockets?: number | undefined
}

const IDLE_MS = 4000

/** Of a request that is made when the connections have been closed. */
export const CLOSED = 'ECLOSED'

/** Connections that are kept. Those over TLS go by the proxy that the environment names (HTTPS_PROXY, NO_PROXY), plain ones never do. */
export class Connections implements Disposable {
  readonly http: HttpAgent
  readonly https: HttpsAgent
  #isClosed = false

  constructor({ ca, idleMs = IDLE_MS, maxSockets = Number.POSITIVE_INFINITY }: ConnectionsOptions = {}) {
    const kept = { keepAlive: true, timeout: idleMs, scheduling: 'lifo', maxSockets } as const
    this.http = new HttpAgent(kept)
    this.https = new HttpsAgent({ ...kept, proxyEnv: process.env, ca })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.http.destroy()
    this.https.destroy()
  }
}
