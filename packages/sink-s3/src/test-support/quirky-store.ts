import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { buffer } from 'node:stream/consumers'

/** A request as a store's own quirks see it. */
export interface SeenRequest {
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export interface StoreAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
}

export interface Quirks {
  /** Answered without asking the real store. `cut`: the connection breaks. */
  refuse?(request: SeenRequest): Partial<StoreAnswer> | 'cut' | undefined
  /** What the real store has answered, changed. `cut`: it has done what was asked, and the connection breaks. */
  change?(answer: StoreAnswer, request: SeenRequest): StoreAnswer | 'cut'
}

export interface QuirkyStore extends AsyncDisposable {
  readonly endpoint: string
  /** All that were made. */
  readonly requests: SeenRequest[]
  quirks: Quirks
}

/** A real store with the quirks of another one: signatures, bytes and listings are its own. */
export async function quirkyStore(realEndpoint: string, quirks: Quirks = {}): Promise<QuirkyStore> {
  const requests: SeenRequest[] = []
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = incoming
    const seen = { method, url, headers }
    requests.push(seen)
    const sent = await buffer(incoming)
    const said = store.quirks.refuse?.(seen) ?? (await changed(seen, sent))
    if (said === 'cut') {
      outgoing.destroy()
      return
    }
    const { status = 200, headers: answered = {}, body = Buffer.alloc(0) } = said
    const length = method === 'HEAD' ? {} : { 'content-length': String(body.length) }
    outgoing.writeHead(status, { ...answered, ...length }).end(body)
  }
  const changed = async (seen: SeenRequest, sent: Buffer): Promise<StoreAnswer | 'cut'> => {
    const real = await ask(realEndpoint, seen, sent)
    return store.quirks.change?.(real, seen) ?? real
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const store: QuirkyStore = {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    quirks,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return store
}

/** Under the name that the client knows the store by: it is signed. */
async function ask(
  endpoint: string,
  { method, url, headers }: SeenRequest,
  sent: Buffer,
): Promise<StoreAnswer> {
  const { hostname, port } = new URL(endpoint)
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ hostname, port, method, path: url, headers }, resolve).once('error', reject).end(sent)
  })
  const answered = Object.entries(incoming.headers)
    .filter(([name]) => name !== 'connection' && name !== 'transfer-encoding')
    .map(([name, value]) => [name, String(value)] as const)
  return {
    status: incoming.statusCode ?? 0,
    headers: Object.fromEntries(answered),
    body: await buffer(incoming),
  }
}
