import { pipeline, Readable, Transform } from 'node:stream'
import { pieces, type SinkOptions } from '@pipe-backup/sink'
import type { NodeHttpHandler } from '@smithy/node-http-handler'

type Handle = NodeHttpHandler['handle']
type Request = Parameters<Handle>[0]
/** What `send` of a command may be given: the SDK hands it through. */
export interface SendOptions extends Pick<SinkOptions, 'onBytes'> {
  /** An `AbortSignal`; the SDK's own type of that name has less. */
  readonly abortSignal?: unknown
}

/** The SDK's own way to the server, whose requests' bodies go out in pieces that can be watched and slowed down. */
export interface WatchedHandler {
  readonly metadata: NodeHttpHandler['metadata']
  handle(request: Request, options?: SendOptions): ReturnType<Handle>
  updateHttpClientConfig: NodeHttpHandler['updateHttpClientConfig']
  httpHandlerConfigs: NodeHttpHandler['httpHandlerConfigs']
}

/** @param onHost - called with the name of the server before each request */
export function watchedHandler(handler: NodeHttpHandler, onHost: (host: string) => void): WatchedHandler {
  return {
    metadata: handler.metadata,
    updateHttpClientConfig: handler.updateHttpClientConfig.bind(handler),
    httpHandlerConfigs: handler.httpHandlerConfigs.bind(handler),
    handle: (request, { abortSignal, onBytes } = {}) => {
      onHost(request.hostname)
      const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined
      return send(handler, request, signal, onBytes).then((answer) => bounded(request, answer))
    },
  }
}

/** A page of a listing has less than a tenth of it. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** The SDK reads what is no object whole, into memory, and parses it: of a server that does not come to an end it would take all there is. */
function bounded(request: Request, answer: Awaited<ReturnType<Handle>>): typeof answer {
  const { response } = answer
  const isObject = request.query['x-id'] === 'GetObject' && response.statusCode < 300
  if (isObject || !(response.body instanceof Readable)) return answer
  let left = MAX_ANSWER_BYTES
  const limit = new Transform({
    transform(piece: Buffer, _encoding, done) {
      left -= piece.length
      if (left >= 0) done(null, piece)
      else
        done(
          new Error(`the store's answer has no end: more than ${MAX_ANSWER_BYTES} bytes where a few are due`),
        )
    },
  })
  // Its failure is that of the last stream, which the SDK reads.
  pipeline(response.body, limit, () => undefined)
  response.body = limit
  return answer
}

async function send(
  handler: NodeHttpHandler,
  request: Request,
  signal: AbortSignal | undefined,
  onBytes: SinkOptions['onBytes'],
): ReturnType<Handle> {
  if (!onBytes || !(request.body instanceof Uint8Array) || request.body.length === 0)
    return handler.handle(request, signal && { abortSignal: signal })
  const broken = new AbortController()
  const abortSignal = signal ? AbortSignal.any([signal, broken.signal]) : broken.signal
  // Signed by now, over the bytes themselves.
  const body = Readable.from(pieces(request.body, { onBytes, signal: abortSignal }), { objectMode: false })
  body.once('error', (error) => broken.abort(error))
  request.body = body
  try {
    return await handler.handle(request, { abortSignal })
  } catch (error) {
    body.destroy()
    throw broken.signal.aborted ? broken.signal.reason : error
  }
}
