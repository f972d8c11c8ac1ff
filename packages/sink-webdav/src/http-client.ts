import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { Authorization, type Credentials, type Learnt } from './authorization.ts'

export interface HttpBody {
  /** The bytes; called again when they must be sent again. */
  readonly pieces: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** Undefined where nobody knows: then they go in chunks, which not every server takes. */
  readonly sizeBytes?: number | undefined
  /** Whether the bytes can be had again. Default true. */
  readonly isRewindable?: boolean | undefined
}

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: HttpBody | undefined
  readonly signal?: AbortSignal | undefined
}

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

/** Idle connections are closed before most servers do it (Apache: 5 s): a request on one that has just been closed fails. */
const IDLE_MS = 4000
/** An answer that nobody wants is read up to so much, so that its connection can be used again. */
const UNWANTED_BYTES = 256 * 1024
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/
/** A challenge for the credentials, and one for a nonce that has become stale meanwhile. */
const CHALLENGES = 2

/** HTTP to one server, with its credentials: to no other, for redirects are answers as any. Nothing is tried again but a login. */
export class HttpClient implements Disposable {
  readonly #agent: HttpAgent | HttpsAgent
  readonly #authorization: Authorization
  readonly #origin: string

  constructor({ origin, protocol, hostname }: URL, options: HttpClientOptions) {
    const { user, password, token, ca, plainHttp = LOOPBACK.test(hostname), atOnce } = options
    const kept = { keepAlive: true, timeout: IDLE_MS, scheduling: 'lifo' } as const
    const secure = protocol === 'https:'
    this.#agent = secure ? new HttpsAgent({ ...kept, proxyEnv: process.env, ca }) : new HttpAgent(kept)
    this.#origin = origin
    const credentials = { user, password }
    this.#authorization = new Authorization(token === undefined ? credentials : { token }, {
      mayShowPassword: secure || plainHttp,
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
      const answer = await this.#exchange(request, authorization)
      if (answer.status !== 401) return answer
      const learnt = this.#authorization.learn(answer.headers['www-authenticate'], authorization)
      const again = learnt === 'again' && body?.isRewindable !== false && challenges < CHALLENGES
      if (!again) return { ...answer, learnt }
      await finish(answer)
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #exchange(request: HttpRequest, authorization: string | undefined): Promise<HttpAnswer> {
    const { method, url, headers, body, signal } = request
    const secure = url.protocol === 'https:'
    const length = body ? body.sizeBytes : method === 'PUT' ? 0 : undefined
    const sent = (secure ? httpsRequest : httpRequest)(url, {
      method,
      agent: this.#agent,
      headers: {
        'User-Agent': 'pipe-backup',
        // What is measured and hashed is what is stored.
        'Accept-Encoding': 'identity',
        ...(length !== undefined && { 'Content-Length': String(length) }),
        ...(body && length === undefined && { 'Transfer-Encoding': 'chunked' }),
        ...(authorization !== undefined && { Authorization: authorization }),
        ...headers,
      },
    })
    const answer = Promise.withResolvers<IncomingMessage>()
    const release = untilAborted(signal, sent)
    sent.on('error', answer.reject)
    sent.once('close', release)
    sent.once('response', (response: IncomingMessage) => {
      // Its errors are those of who reads it.
      response.on('error', () => undefined)
      response.once('end', release)
      // Refused before all of it was sent: the connection is of no use any more.
      if (!sent.writableEnded) response.once('end', () => sent.destroy())
      answer.resolve(response)
    })
    sendBody(sent, body?.pieces() ?? [], answer.promise).catch((error: unknown) => {
      answer.reject(error)
      sent.destroy()
    })
    try {
      const message = await answer.promise
      return { method, url, status: message.statusCode ?? 0, headers: message.headers, body: message }
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  }
}

/**
 * Stops a request when its signal fires, while it is under way. Left to Node.js, the connection of an answer that has just
 * come whole would fail with an error that nobody listens for any more.
 * @returns what ends it
 */
function untilAborted(signal: AbortSignal | undefined, request: ClientRequest): () => void {
  const onAbort = (): void => {
    request.destroy()
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  return () => signal?.removeEventListener('abort', onAbort)
}

/** Each piece is with the system before the next is asked for: who gave it may use its memory again. */
async function sendBody(
  request: ClientRequest,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  answer: Promise<IncomingMessage>,
): Promise<void> {
  let answered = false
  const over = (): void => {
    answered = true
  }
  const end = answer.then(over, over)
  for await (const piece of body) {
    if (answered) return
    await Promise.race([written(request, piece), end])
  }
  if (!answered) request.end()
}

function written(request: ClientRequest, piece: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    // A failure is the request's, and told by its event.
    request.write(piece, () => resolve())
  })
}

/** Reads what is left of an answer that nobody wants. */
export async function finish({ body }: HttpAnswer): Promise<void> {
  await readText(body, UNWANTED_BYTES)
}

/** What a server says in its answer, as far as it says it: for messages. */
export async function readText(body: IncomingMessage, mostBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes > mostBytes) break
    }
  } catch {
    // It was cut: what has come is all there is.
  }
  body.destroy()
  return Buffer.concat(pieces).subarray(0, mostBytes).toString()
}
