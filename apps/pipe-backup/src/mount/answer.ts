import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { toError } from '@pipe-backup/sink'
import { parseRange } from './byte-range.ts'
import { etagOf, indexPage, multistatus } from './listing.ts'
import { checkConditions, isSameFile } from './preconditions.ts'
import { encodeName, httpDate, parseTarget } from './url-path.ts'
import type { View, ViewFile } from './view.ts'

const METHODS = 'OPTIONS, GET, HEAD, PROPFIND'
/** Each holds some 4 MiB, or a chunk of 16 MiB. */
const MAX_STREAMS = 32
const NO_INFINITY =
  '<?xml version="1.0" encoding="utf-8"?>\n<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>\n'

export interface AnswerOptions {
  readonly signal: AbortSignal
  readonly onError: (error: unknown) => void
}

let streams = 0

/**
 * Answers a request. What can't be read is a 500 before anything was sent; after that the connection is broken, so that nobody takes a
 * part for the whole. Never rejects.
 */
export async function answer(
  view: View,
  request: IncomingMessage,
  response: ServerResponse,
  { signal, onError }: AnswerOptions,
): Promise<void> {
  try {
    await dispatch(view, request, response, signal)
  } catch (error) {
    if (signal.aborted) return
    onError(error)
    if (response.headersSent) response.destroy()
    else end(response, 500, 'pipe-backup could not read this; it says there why\n')
  }
}

async function dispatch(
  view: View,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { method = '', headers } = request
  if (method === 'OPTIONS') {
    response.setHeader('DAV', '1')
    response.setHeader('MS-Author-Via', 'DAV')
    response.setHeader('Allow', METHODS)
    return end(response, 200)
  }
  if (!METHODS.split(', ').includes(method)) {
    response.setHeader('Allow', METHODS)
    return end(response, 405, 'a view of backups is read-only\n')
  }
  const { depth = 'infinity' } = headers
  if (method === 'PROPFIND' && depth !== '0' && depth !== '1') return endXml(response, 403, NO_INFINITY)
  const names = parseTarget(request.url ?? '/')
  if (!names) return end(response, 400, 'no such path can be\n')
  const node = await view.find(names)
  if (!node) return end(response, 404)
  const path = `/${names.map(encodeName).join('/')}`
  const href = node.type === 'file' || path === '/' ? path : `${path}/`
  if (method === 'PROPFIND') {
    const text = multistatus(href, node, depth === '1' ? 1 : 0)
    await send(response, 207, { 'Content-Type': 'application/xml; charset=utf-8' }, text, signal)
  } else if (node.type === 'file') {
    await sendFile(node, request, response, signal)
  } else {
    const head = { 'Content-Type': 'text/html; charset=utf-8' }
    if (method === 'HEAD') response.writeHead(200, head).end()
    else await send(response, 200, head, indexPage(href, node), signal)
  }
}

async function sendFile(
  file: ViewFile,
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { size, modified } = file
  const validators = { etag: etagOf(file), modified }
  const date = httpDate(modified)
  const condition = checkConditions(headers, validators)
  if (condition === 412) return end(response, condition)
  const described = {
    ETag: validators.etag,
    'Accept-Ranges': 'bytes',
    ...(date !== undefined && { 'Last-Modified': date }),
  }
  if (condition === 304) {
    response.writeHead(condition, described).end()
    return
  }
  const asked = isSameFile(headers, validators) && method === 'GET' ? headers.range : undefined
  const range = parseRange(asked, size)
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${size}`)
    return end(response, 416)
  }
  const { from, to } = range ?? { from: 0, to: size }
  const head = {
    ...described,
    'Content-Type': 'application/octet-stream',
    'Content-Length': to - from,
    ...(range && { 'Content-Range': `bytes ${from}-${to - 1}/${size}` }),
  }
  if (method === 'HEAD') response.writeHead(200, head).end()
  else await send(response, range ? 206 : 200, head, file.read(from, to), signal)
}

/** Sends what is read as fast as it is taken, and ends the reading when the client goes. Its beginning is read before anything is sent. */
async function send(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  content: AsyncGenerator<string | Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  if (streams >= MAX_STREAMS) {
    response.setHeader('Retry-After', '5')
    return end(response, 503, `${MAX_STREAMS} answers at once are the most\n`)
  }
  streams++
  let failure: Error | undefined
  try {
    const first = await content.next()
    response.writeHead(status, headers)
    async function* all(): AsyncGenerator<string | Uint8Array> {
      if (!first.done) yield first.value
      try {
        yield* content
      } catch (error) {
        failure = toError(error)
        throw failure
      }
    }
    // What is no error of the reading's is the client's, who has gone.
    await pipeline(Readable.from(all(), { objectMode: true, highWaterMark: 1 }), response, { signal }).catch(
      () => undefined,
    )
    if (failure) throw failure
  } finally {
    streams--
    await content.return(undefined)
  }
}

function end(response: ServerResponse, status: number, text = ''): void {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.setHeader('Content-Length', Buffer.byteLength(text))
  response.writeHead(status).end(text)
}

function endXml(response: ServerResponse, status: number, text: string): void {
  response.setHeader('Content-Type', 'application/xml; charset=utf-8')
  end(response, status, text)
}
