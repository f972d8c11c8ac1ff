import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Connections, exchange, finish as finishBody, type HttpRequest } from '@pipe-backup/http'
import type { WebDAVClient } from 'webdav'
import { Authorization, type Credentials, type Learnt } from './authorization.ts'

export interface HttpAnswer {
  readonly method: string
  readonly url: URL
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be read, or given to `finish`. */
  readonly body: IncomingMessage
  /** How it went with the credentials. */
  readonly learnt?: Learnt | undefined
}

export interface HttpClientOptions extends Credentials {
  /** Certificate authorities to trust instead of the system's, PEM. */
  readonly ca?: string | undefined
  /** Show the password to a server without TLS, in the clear. Default: only on this machine's own addresses. */
  readonly plainHttp?: boolean | undefined
  /** Show the password with the first request. */
  readonly atOnce?: boolean | undefined
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/
/** A challenge for the credentials, and one for a nonce that has become stale meanwhile. */
const CHALLENGES = 2

/** HTTP to one server, with its credentials: to no other, for redirects are answers as any. Nothing is tried again but a login. */
export class HttpClient implements Disposable {
  readonly #connections: Connections
  readonly #authorization: Authorization
  readonly #origin: string
  #library: Promise<Library> | undefined

  constructor({ origin, protocol, hostname }: URL, options: HttpClientOptions) {
    const { user, password, token, ca, plainHttp = LOOPBACK.test(hostname), atOnce } = options
    this.#connections = new Connections({ ca })
    this.#origin = origin
    const credentials = { user, password }
    this.#authorization = new Authorization(token === undefined ? credentials : { token }, {
      mayShowPassword: protocol === 'https:' || plainHttp,
      atOnce,
    })
  }

  /** Whether the server may ask for the credentials again at any time: a body that can't be had twice needs a request before it. */
  get asksAgain(): boolean {
    return this.#authorization.expires
  }

  /** @returns the answer, whatever its status. @throws the errors of Node.js; the signal's reason */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const { method, url, signal, body } = request
    if (url.origin !== this.#origin) throw new TypeError('the credentials are for another server')
    for (let challenges = 0; ; challenges++) {
      signal?.throwIfAborted()
      const authorization = this.#authorization.headerFor(method, url.pathname + url.search)
      const message = await this.#request(request, authorization)
      const { statusCode: status = 0, headers } = message
      const answer = { method, url, status, headers, body: message }
      if (status !== 401) return answer
      const learnt = this.#authorization.learn(headers['www-authenticate'], authorization)
      const again = learnt === 'again' && body?.isRewindable !== false && challenges < CHALLENGES
      if (!again) return { ...answer, learnt }
      await finish(answer)
    }
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]()
  }

  /**
   * By the webdav library, whose `fetch` is ours for the length of this call: its own would read bodies ahead, follow redirects with a PUT, and
   * hold a download in memory. What it makes of a status is left to who asked.
   */
  async #request(request: HttpRequest, authorization: string | undefined): Promise<IncomingMessage> {
    const { module, client } = await (this.#library ??= this.#load())
    const answer = Promise.withResolvers<IncomingMessage>()
    const fetch = async (address: unknown, options: unknown): Promise<Response> => {
      const { headers } = options as { readonly headers: Record<string, string> }
      const sent = exchange(this.#connections, { ...request, url: new URL(String(address)), headers })
      sent.then(answer.resolve, answer.reject)
      await sent
      return new Response()
    }
    const { registry } = module.getPatcher().configuration
    const { fetch: before } = registry
    module.getPatcher().patch('fetch', fetch)
    const { method, url, headers } = request
    // It calls `fetch` before it waits for anything.
    const requested = client.customRequest('', {
      url: url.href,
      method,
      headers: { ...headers, ...(authorization !== undefined && { Authorization: authorization }) },
    })
    if (before) registry['fetch'] = before
    else delete registry['fetch']
    requested.catch(answer.reject)
    return await answer.promise
  }

  async #load(): Promise<Library> {
    const module = await import('webdav')
    const { http: httpAgent, https: httpsAgent } = this.#connections
    const client = module.createClient(this.#origin, {
      // Its Digest takes a wrong password for success, and knows no SHA-256.
      authType: module.AuthType.None,
      httpAgent,
      httpsAgent,
    })
    return { module, client }
  }
}

interface Library {
  readonly module: typeof import('webdav')
  readonly client: WebDAVClient
}

/** Reads what is left of an answer that nobody wants. */
export async function finish({ body }: HttpAnswer): Promise<void> {
  await finishBody(body)
}
