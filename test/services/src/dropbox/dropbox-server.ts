import { randomBytes } from 'node:crypto'
import { closeSync, createReadStream, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Account } from './account.ts'
import { ApiError, badInput, rateLimited } from './api-error.ts'
import { Blob } from './blob.ts'
import { DeleteJobs } from './delete-jobs.ts'
import { type DropboxFault, type FaultScope, Faults, flipped } from './faults.ts'
import { Listings } from './listings.ts'
import type { Download, Place, Route } from './route.ts'
import { ROUTES } from './routes.ts'
import { BadArgument } from './stone.ts'
import { Tokens } from './tokens.ts'
import { UploadSessions } from './upload-sessions.ts'

export interface DropboxServerOptions {
  readonly appKey?: string
  readonly appSecret?: string
  /** Default 14,400, as Dropbox has it. */
  readonly accessTokenSeconds?: number
  /** Default: endless. */
  readonly quotaBytes?: number
  /** How long a change holds the namespace's lock; who comes meanwhile is refused. Default 2 ms. */
  readonly commitMs?: number
  /** What such a one is reported: 429 for the call, or 409 with the route's own error where it has one. Default 429. */
  readonly contentionStatus?: 409 | 429
  /** How long `delete_batch` takes. Default 20 ms. */
  readonly jobMs?: number
  /** No page of a listing has more entries, whatever is asked for. Default 2,000. */
  readonly pageEntries?: number
  readonly now?: () => number
}

export interface DropboxServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** What https://api.dropboxapi.com is to Dropbox, for a server or a proxy on this port; default its own. */
  apiUrl(port?: number): string
  /** What https://content.dropboxapi.com is. */
  contentUrl(port?: number): string
  readonly appKey: string
  readonly appSecret: string
  readonly refreshToken: string
  readonly account: Account
  readonly sessions: UploadSessions
  readonly listings: Listings
  readonly tokens: Tokens
  /** How often each route was called. */
  readonly calls: ReadonlyMap<string, number>
  /** Lets requests to come go wrong. */
  fail(fault: DropboxFault, scope?: FaultScope): void
  /** Holds the account's lock, as another host that writes. @throws Refused when it is held already */
  holdLock(ms: number): Promise<void>
  /** Changes a byte of a stored file behind its back, as a disk that rots. */
  spoil(path: string): void
}

/** Starts a stand-in for Dropbox, on a free port of 127.0.0.1. What it models, and what it does not, is in its README. */
export async function startDropbox(options: DropboxServerOptions = {}): Promise<DropboxServer> {
  const { appKey = 'app-key', appSecret = 'app-secret', now = Date.now } = options
  const directory = mkdtempSync(join(tmpdir(), 'dropbox-'))
  let blobs = 0
  const newBlob = () => new Blob(join(directory, String(++blobs)))
  const account = new Account({
    quotaBytes: options.quotaBytes ?? Number.POSITIVE_INFINITY,
    commitMs: options.commitMs ?? 2,
    contentionStatus: options.contentionStatus ?? 429,
  })
  const place: Place = {
    account,
    newBlob,
    sessions: new UploadSessions(newBlob, now),
    listings: new Listings(account, options.pageEntries ?? 2000),
    jobs: new DeleteJobs(account, options.jobMs ?? 20),
  }
  const tokens = new Tokens({
    appKey,
    appSecret,
    accessTokenSeconds: options.accessTokenSeconds ?? 14_400,
    now,
  })
  const faults = new Faults()
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    answer({ place, tokens, faults, calls }, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // It must not keep a test run alive.
  server.unref()
  const { port } = server.address() as AddressInfo
  return {
    host: '127.0.0.1',
    port,
    apiUrl: (at = port) => `http://127.0.0.1:${at}/api`,
    contentUrl: (at = port) => `http://127.0.0.1:${at}/content`,
    appKey,
    appSecret,
    refreshToken: tokens.grant(),
    tokens,
    calls,
    account,
    sessions: place.sessions,
    listings: place.listings,
    fail: (fault, scope) => faults.plan(fault, scope),
    holdLock: (ms) => account.locked(() => undefined, ms),
    spoil: (path) => {
      const stored = account.find(path)
      if (stored?.tag !== 'file') throw new Error(`no file: ${path}`)
      const file = openSync(stored.blob.path, 'r+')
      const byte = new Uint8Array(1)
      readSync(file, byte, 0, 1, 0)
      writeSync(
        file,
        byte.map((value) => value ^ 1),
        0,
        1,
        0,
      )
      closeSync(file)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Context {
  readonly place: Place
  readonly tokens: Tokens
  readonly faults: Faults
  readonly calls: Map<string, number>
}

async function answer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '', 'http://dropbox')
  const [, host = '', path = ''] = /^\/(api|content)\/(.*)$/.exec(pathname) ?? []
  const name = path.replace(/^2\//, '')
  context.calls.set(name, (context.calls.get(name) ?? 0) + 1)
  response.setHeader('X-Dropbox-Request-Id', randomBytes(16).toString('hex'))
  const fault = context.faults.next(name)
  if (fault?.type === 'stall') return
  if (fault?.type === 'cut') {
    response.destroy()
    return
  }
  try {
    if (fault?.type === 'answer') throw new ApiError(fault.status, fault.body ?? '', fault.headers)
    if (fault?.type === 'rate-limit') throw rateLimited(fault.reason, fault.seconds)
    const route = ROUTES[name]
    checkPlace(name, { host, path, method: request.method ?? '' }, route)
    const result = await call(context, name, route, request, fault)
    if (fault?.type === 'lose-answer') response.destroy()
    else if (route?.style === 'download') await sendFile(request, response, result as Download)
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(result))
  } catch (error) {
    const failed =
      error instanceof BadArgument
        ? badInput(name, `${argumentPlace(ROUTES[name])}: ${error.message}`)
        : error
    if (!(failed instanceof ApiError)) throw failed
    response.writeHead(failed.status, failed.headers).end(failed.body)
  }
}

async function call(
  { place, tokens }: Context,
  name: string,
  route: Route | undefined,
  request: IncomingMessage,
  fault: DropboxFault | undefined,
): Promise<unknown> {
  if (name === 'oauth2/token')
    return tokens.exchange(new URLSearchParams(await text(request)), request.headers.authorization)
  if (!route) throw new Error(`no route: ${name}`)
  tokens.check(name, route.scope, request.headers)
  const type = request.headers['content-type']
  // A call without an argument may have no body: https://www.dropbox.com/developers/documentation/http/documentation#users-get_space_usage
  const isBare = route.style === 'rpc' && type === undefined && request.headers['content-length'] === '0'
  if (isBare) return route.call(null, place)
  checkContentType(name, route, type)
  if (route.style === 'rpc') return route.call(parse(name, route, await text(request)), place)
  const header = request.headers['dropbox-api-arg']
  if (typeof header !== 'string')
    throw badInput(name, 'Must provide HTTP header "Dropbox-API-Arg" or URL parameter "arg".')
  const argument = parse(name, route, header)
  if (route.style === 'download') return route.call(argument, place)
  return route.call(argument, place, fault?.type === 'flip' ? flipped(request) : request)
}

/** Routes with bytes are of another host than those without: https://www.dropbox.com/developers/documentation/http/documentation */
function checkPlace(
  name: string,
  { host, path, method }: { readonly host: string; readonly path: string; readonly method: string },
  route: Route | undefined,
): void {
  const wanted = route === undefined || route.style === 'rpc' ? 'api' : 'content'
  const known = route ? path === `2/${name}` : path === 'oauth2/token'
  if (!known) throw new ApiError(404, `Unknown API function: "${name}"`)
  if (host !== wanted)
    throw badInput(name, `You must issue the request to "https://${wanted}.dropboxapi.com".`)
  if (method !== 'POST') throw badInput(name, `Expecting HTTP method POST, got ${method}.`)
}

function argumentPlace(route: Route | undefined): string {
  return route?.style === 'rpc' ? 'request body' : 'HTTP header "Dropbox-API-Arg"'
}

function parse(name: string, route: Route, json: string): unknown {
  try {
    // Headers come as Latin-1: what is above ASCII was not escaped. https://www.dropbox.com/developers/reference/json-encoding
    if (route.style !== 'rpc' && !/^[\x20-\x7e]*$/.test(json)) throw new SyntaxError('not ASCII')
    return JSON.parse(json) as unknown
  } catch {
    throw badInput(name, `${argumentPlace(route)}: could not decode input as JSON`)
  }
}

const CONTENT_TYPES: Readonly<Record<Route['style'], readonly string[]>> = {
  rpc: ['application/json', 'application/json; charset=utf-8', 'text/plain; charset=dropbox-cors-hack'],
  upload: ['application/octet-stream', 'text/plain; charset=dropbox-cors-hack'],
  download: [
    'text/plain',
    'text/plain; charset=utf-8',
    'application/octet-stream',
    'application/octet-stream; charset=utf-8',
  ],
}

function checkContentType(name: string, { style }: Route, type: string | undefined): void {
  const good = CONTENT_TYPES[style]
  if (type === undefined ? style === 'download' : good.includes(type)) return
  if (type === undefined) throw badInput(name, `Missing HTTP "Content-Type" header.`)
  const expecting = good.map((one) => `"${one}"`).join(', ')
  throw badInput(name, `Bad HTTP "Content-Type" header: "${type}".  Expecting one of ${expecting}.`)
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { metadata, blob }: Download,
): Promise<void> {
  const { size } = blob
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Dropbox-API-Result': JSON.stringify(metadata).replace(
      /[\u007f-\uffff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
    'Accept-Ranges': 'bytes',
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const from = Number(range?.[1] ?? 0)
  const to = Math.min(range?.[2] ? Number(range[2]) : size - 1, size - 1)
  if (range && from > to) {
    response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end()
    return
  }
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'Content-Length': to - from + 1,
    ...(range && { 'Content-Range': `bytes ${from}-${to}/${size}` }),
  })
  if (to < from) {
    response.end()
    return
  }
  // Opened at once: the next change may remove it.
  const fd = openSync(blob.path, 'r')
  await pipeline(createReadStream('', { fd, start: from, end: to, highWaterMark: 256 * 1024 }), response)
}
