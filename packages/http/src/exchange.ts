import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { CLOSED, type Connections } from './connections.ts'

export interface HttpBody {
  /** The bytes; called again when they must be sent again. */
  readonly pieces: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** Undefined where nobody knows: then they go in chunks, which not every server takes. */
  readonly sizeBytes?: number | undefined
  /** The memory of a piece is used again when the next is asked for: each is with the system before. Default false. */
  readonly isLent?: boolean | undefined
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

/** What a connection says that the server has closed in the moment in which it was used again. */
const CLOSED_BY_SERVER: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE'])
/** What has the same effect when it is done twice (RFC 9110, section 9.2.2; RFC 4918). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'PUT', 'DELETE'])

/**
 * Sends a request, and gives its answer, whatever its status: redirects are answers as any. It is sent again only where a connection that
 * was kept turns out to be closed, as RFC 9112, section 9.3.1 has it; a new one is tried once.
 * @returns the answer: its body is to be read, or destroyed
 * @throws the errors of Node.js; the signal's reason; `CLOSED`
 */
export async function exchange(connections: Connections, request: HttpRequest): Promise<IncomingMessage> {
  const { method, headers = {}, body } = request
  // Of what is not to replace anything the first one may be what is found there.
  const isConditional = Object.keys(headers).some((name) => name.toLowerCase() === 'if-none-match')
  const mayRepeat = IDEMPOTENT.has(method) && !isConditional && body?.isRewindable !== false
  for (;;) {
    const { sent, answer } = send(connections, request)
    try {
      return await answer
    } catch (error) {
      request.signal?.throwIfAborted()
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      // Each try takes one connection that was kept from those there are.
      if (!mayRepeat || !sent.reusedSocket || !CLOSED_BY_SERVER.has(code)) throw error
    }
  }
}

/** @throws the signal's reason; `CLOSED` */
function send(
  connections: Connections,
  request: HttpRequest,
): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage> } {
  const { method, url, headers, body, signal } = request
  signal?.throwIfAborted()
  // What is tried again would open a connection that nobody closes.
  if (connections.isClosed) throw Object.assign(new Error('closed'), { code: CLOSED })
  const secure = url.protocol === 'https:'
  const length = body ? body.sizeBytes : method === 'PUT' || method === 'POST' ? 0 : undefined
  const sent = (secure ? httpsRequest : httpRequest)(url, {
    method,
    agent: secure ? connections.https : connections.http,
    headers: {
      'User-Agent': 'pipe-backup',
      // What is measured and hashed is what is stored.
      'Accept-Encoding': 'identity',
      ...(length !== undefined && { 'Content-Length': String(length) }),
      ...(body && length === undefined && { 'Transfer-Encoding': 'chunked' }),
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
  sendBody(sent, body, answer.promise).catch((error: unknown) => {
    answer.reject(error)
    sent.destroy()
  })
  return { sent, answer: answer.promise }
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

async function sendBody(
  request: ClientRequest,
  body: HttpBody | undefined,
  answer: Promise<IncomingMessage>,
): Promise<void> {
  let answered = false
  // Not a race against the answer: each piece would leave something behind that waits for it.
  let goOn = (): void => undefined
  const over = (): void => {
    answered = true
    goOn()
  }
  answer.then(over, over)
  for await (const piece of body?.pieces() ?? []) {
    if (answered) return
    await new Promise<void>((resolve) => {
      goOn = resolve
      // A failure is the request's, and reported by its event.
      if (body?.isLent) request.write(piece, () => resolve())
      else if (request.write(piece)) resolve()
      else request.once('drain', resolve)
    })
  }
  if (!answered) request.end()
}

/** What an answer says, as far as it says it, and no more than so many bytes; it is then let go of. */
export async function readBody(
  body: IncomingMessage,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const pieces: Buffer[] = []
  let length = 0
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      pieces.push(piece)
      length += piece.length
      if (length > maxBytes) break
    }
  } catch {
    // It was cut: what has come is all there is.
  }
  const isWhole = body.complete && length <= maxBytes
  body.destroy()
  return { bytes: Buffer.concat(pieces).subarray(0, maxBytes), isWhole }
}

/** An answer that nobody wants is read up to so much, so that its connection can be used again. */
const UNWANTED_BYTES = 256 * 1024

/** Reads what is left of an answer that nobody wants. */
export async function finish(body: IncomingMessage): Promise<void> {
  await readBody(body, UNWANTED_BYTES)
}
