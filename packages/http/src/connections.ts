import { type ClientRequest, Agent as HttpAgent } from 'node:http'
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

/** What Node's agents take a request by; agents of others override it, too. */
interface TakesRequests {
  addRequest(request: ClientRequest, ...rest: unknown[]): void
}

/** Of a request that is made when the connections have been closed. */
export const CLOSED = 'ECLOSED'

/** Connections that are kept. Those over TLS go by the proxy that the environment names (HTTPS_PROXY, NO_PROXY), plain ones never do. */
export class Connections implements Disposable {
  readonly http: HttpAgent
  readonly https: HttpsAgent
  #isClosed = false

  constructor({ ca, idleMs = IDLE_MS, maxSockets = Number.POSITIVE_INFINITY }: ConnectionsOptions = {}) {
    const kept = { keepAlive: true, timeout: idleMs, scheduling: 'lifo', maxSockets } as const
    this.http = withoutStale(new HttpAgent(kept), idleMs)
    this.https = withoutStale(new HttpsAgent({ ...kept, proxyEnv: process.env, ca }), idleMs)
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

/**
 * Before a request, closes the connections that have been idle for too long. Their own timers do so as a rule; but where this program has computed for seconds, the
 * server has closed them meanwhile, and the request would come before the timer and fail.
 */
function withoutStale<T extends HttpAgent>(agent: T, idleMs: number): T {
  const idleSince = new WeakMap<object, number>()
  agent.on('free', (socket: object) => idleSince.set(socket, performance.now()))
  const inner = agent as T & TakesRequests
  const addRequest = inner.addRequest.bind(agent)
  inner.addRequest = (...given) => {
    const now = performance.now()
    for (const sockets of Object.values(agent.freeSockets)) {
      for (const socket of sockets?.splice(0) ?? []) {
        // What the server has said of its patience is in the socket's own time.
        if (now - (idleSince.get(socket) ?? now) >= Math.min(idleMs, socket.timeout || idleMs))
          socket.destroy()
        else sockets?.push(socket)
      }
    }
    addRequest(...given)
  }
  return agent
}
