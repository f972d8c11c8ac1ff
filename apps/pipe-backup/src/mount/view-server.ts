import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { answer } from './answer.ts'
import type { View } from './view.ts'

export const HOST = '127.0.0.1'
export const USER = 'pipe-backup'
/** A client that takes nothing for so long has gone, or was put aside. */
const IDLE_MS = 30 * 60_000

export interface ViewServerOptions {
  readonly view: View
  /** 0 for any free one. */
  readonly port: number
  readonly password: string
  readonly signal: AbortSignal
  /** Given each error that an answer ended with. */
  readonly onError: (error: unknown, path: string) => void
}

export interface ViewServer extends AsyncDisposable {
  readonly port: number
}

/** Serves a view on 127.0.0.1 to whoever has the password. @throws the error of the system's, such as EADDRINUSE */
export async function serveView(options: ViewServerOptions): Promise<ViewServer> {
  const { view, password, signal, onError } = options
  let hosts: readonly string[] = []
  const authorization = digest(`Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`)
  const isAllowed = (request: IncomingMessage, response: ServerResponse): boolean => {
    // A page of the web whose name was made to mean this address has that name here.
    if (!hosts.includes(request.headers.host?.toLowerCase() ?? '')) return refuse(response, 403)
    const given = (request.headers.authorization ?? '').replace(/^basic +/i, 'Basic ')
    if (timingSafeEqual(digest(given), authorization)) return true
    response.setHeader('WWW-Authenticate', 'Basic realm="pipe-backup", charset="UTF-8"')
    return refuse(response, 401)
  }
  const server = createServer((request, response) => {
    // Nothing that anybody sends is of use.
    request.resume()
    setSafeHeaders(response)
    if (!isAllowed(request, response)) return
    const path = request.url ?? '/'
    // It gives every error to onError.
    void answer(view, request, response, { signal, onError: (error) => onError(error, path) })
  })
  server.timeout = IDLE_MS
  server.listen(options.port, HOST)
  await once(server, 'listening', { signal })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : options.port
  hosts = [HOST, 'localhost'].flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])])
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function refuse(response: ServerResponse, status: 401 | 403): false {
  response.writeHead(status, { 'Content-Length': 0 }).end()
  return false
}

/** What is in a backup may be a page, with a script that would read all else that is there: nothing of it is run or shown. */
function setSafeHeaders(response: ServerResponse): void {
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('Cache-Control', 'private, no-cache')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
