import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TamperingProxy extends AsyncDisposable {
  readonly port: number
}

/**
 * A TCP proxy that changes what it passes on to a server: where `from` occurs within one piece, `to` goes on instead, which is as long.
 * What the server answers passes as it is.
 */
export async function startTamperingProxy(
  server: { readonly host: string; readonly port: number },
  from: string,
  to: string,
): Promise<TamperingProxy> {
  if (from.length !== to.length) throw new TypeError('the lengths differ')
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    return socket
  }
  const proxy = createServer((near) => {
    const far = keep(connect(server.port, server.host))
    keep(near).once('close', () => far.destroy())
    far.once('close', () => near.destroy())
    near.on('data', (piece: Buffer) => {
      const at = piece.indexOf(from)
      if (at !== -1) piece.write(to, at, 'latin1')
      if (!far.write(piece)) {
        near.pause()
        far.once('drain', () => near.resume())
      }
    })
    far.pipe(near)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    port: (proxy.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
