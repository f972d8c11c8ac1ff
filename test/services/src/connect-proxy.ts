import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** A proxy for TLS, of the kind that HTTPS_PROXY names (RFC 9110 section 9.3.6). */
export interface ConnectProxy extends AsyncDisposable {
  readonly url: string
  /** Where it was asked to connect to: `host:port` each. */
  readonly asked: readonly string[]
}

/** @param lets - false for one that connects nobody */
export async function startConnectProxy({ lets = true }: { lets?: boolean } = {}): Promise<ConnectProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((_request, answer) => answer.writeHead(405).end())
  server.on('connect', ({ url = '' }, near: Socket) => {
    asked.push(url)
    sockets.add(near)
    near.on('error', () => near.destroy())
    if (!lets) {
      near.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      return
    }
    const { hostname, port } = new URL(`tcp://${url}`)
    const far = connect(Number(port), hostname, () => near.write('HTTP/1.1 200 Connected\r\n\r\n'))
    sockets.add(far)
    far.on('error', () => near.destroy())
    near.on('close', () => far.destroy())
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
