import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Small pieces, as they would go over a slow line. */
const PIECE_BYTES = 8 * 1024

/**
 * A line of so many bytes a second, each way, over which one or several servers are reached: TCP proxies on free ports of 127.0.0.1 that
 * share the line. What has been taken from a client and not handed on yet is at most a piece for each connection, beside the kernel's buffers.
 */
export class SlowLine implements AsyncDisposable {
  bytesPerSecond: number
  /** Bytes that have gone towards the servers. */
  bytesUp = 0
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #paidUntil = { up: 0, down: 0 }

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond
  }

  /** @returns the port at which the server is reached over this line */
  async to(server: { readonly host: string; readonly port: number }): Promise<number> {
    const proxy = createServer({ highWaterMark: PIECE_BYTES, noDelay: true }, (near) => {
      const far = connect({ ...server, noDelay: true })
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined)
      }
      const end = () => {
        near.destroy()
        far.destroy()
        this.#sockets.delete(near)
        this.#sockets.delete(far)
      }
      near.once('close', end)
      far.once('close', end)
      // Ends when either side is closed, which is how a connection ends.
      void this.#pass(near, far, 'up').catch(end)
      void this.#pass(far, near, 'down').catch(end)
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    this.#servers.push(proxy)
    return (proxy.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  async #pass(from: Socket, to: Socket, way: 'up' | 'down'): Promise<void> {
    for await (const bytes of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES)
        await this.#pay(piece.length, way)
        if (way === 'up') this.bytesUp += piece.length
        if (!to.write(piece)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve))
      }
    }
    to.end()
  }

  async #pay(bytes: number, way: 'up' | 'down'): Promise<void> {
    const now = performance.now()
    const from = Math.max(now, this.#paidUntil[way])
    this.#paidUntil[way] = from + (bytes * 1000) / this.bytesPerSecond
    if (from - now > 2) await sleep(from - now)
  }
}
