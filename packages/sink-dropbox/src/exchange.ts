import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export interface ExchangeOptions {
  readonly headers: Readonly<Record<string, string>>
  /** The body, in pieces, and how long it is. */
  readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  readonly sizeBytes: number
  readonly signal?: AbortSignal | undefined
}

/** Idle connections are closed before the server does it: a request on one that it has just closed fails. */
const IDLE_MS = 15_000

/** Of a request that is made when the sink has been closed. */
export const CLOSED = 'ECLOSED'

/** Posts over connections that are kept. */
export class Exchange implements Disposable {
  #isClosed = false
  readonly #http = new HttpAgent({ keepAlive: true, timeout: IDLE_MS, scheduling: 'lifo' })
  readonly #https = new HttpsAgent({
    keepAlive: true,
    timeout: IDLE_MS,
    scheduling: 'lifo',
    proxyEnv: process.env,
  })

  /** @returns the answer, whatever its status: its body is to be read, or destroyed */
  post(url: URL, { headers, body, sizeBytes, signal }: ExchangeOptions): Promise<IncomingMessage> {
    // What is tried again would open a connection that nobody closes.
    if (this.#isClosed) return Promise.reject(Object.assign(new Error('closed'), { code: CLOSED }))
    const secure = url.protocol === 'https:'
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      agent: secure ? this.#https : this.#http,
      headers: { ...headers, 'Content-Length': sizeBytes, 'Accept-Encoding': 'identity' },
      signal,
    })
    const answer = Promise.withResolvers<IncomingMessage>()
    request.on('error', answer.reject)
    request.once('response', (response: IncomingMessage) => {
      // Refused before all of it was sent: the rest of the connection is of no use.
      if (!request.writableEnded) response.once('end', () => request.destroy())
      answer.resolve(response)
    })
    send(request, body, answer.promise).catch((error: unknown) => {
      answer.reject(error)
      request.destroy()
    })
    return answer.promise
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#http.destroy()
    this.#https.destroy()
  }
}

async function send(
  request: ClientRequest,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  answer: Promise<IncomingMessage>,
): Promise<void> {
  let answered = false
  const over = () => {
    answered = true
  }
  const end = answer.then(over, over)
  for await (const piece of body) {
    if (answered) return
    if (!request.write(piece)) await Promise.race([drained(request), end])
  }
  if (!answered) request.end()
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => request.once('drain', () => resolve()))
}
