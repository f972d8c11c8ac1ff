import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Small pieces, as they would go over a slow line. */
const PIECE_BYTES = 8 * 1024

interface Way {
  readonly name: 'up' | 'down'
  /** Until when the line is busy. */
  paidUntil: number
}

/**
 * A line of so many bytes a second, each way, over which one or several servers are reached: TCP proxies on free ports of 127.0.0.1 that
 * share the line. What has been taken from a client and not handed on yet is at most a piece for each connection, and what is on its way,
 * beside the kernel's buffers. A connection is there after one round trip, as a TCP handshake takes; a slow start there is not.
 */
export class SlowLine implements AsyncDisposable {
  bytesPerSecond: number
  /** Bytes that have gone towards the servers. */
  bytesUp = 0
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #delayMs: number
  readonly #up: Way = { name: 'up', paidUntil: 0 }
  readonly #down: Way = { name: 'down', paidUntil: 0 }

  /** @param roundTripMs - half of it is how long each byte is on its way */
  constructor(bytesPerSecond: number, roundTripMs = 0) {
    this.bytesPerSecond = bytesPerSecond
    this.#delayMs = roundTripMs / 2
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
      const handshake = this.#delayMs > 0 ? sleep(2 * this.#delayMs) : Promise.resolve()
      const up = handshake.then(() => this.#pass(near, far, this.#up)).catch(end)
      const down = this.#pass(far, near, this.#down).catch(end)
      // What is on its way when one side closes arrives all the same.
      near.once('close', () => void up.finally(end))
      far.once('close', () => void down.finally(end))
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    this.#servers.push(proxy)
    return (proxy.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  async #pass(from: Socket, to: Socket, way: Way): Promise<void> {
    let arrived: Promise<void> = Promise.resolve()
    const onWay: Promise<void>[] = []
    for await (const bytes of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES)
        await this.#pay(piece.length, way)
        if (way.name === 'up') this.bytesUp += piece.length
        const due = this.#delayMs > 0 ? sleep(this.#delayMs) : undefined
        arrived = Promise.all([arrived, due]).then(() => write(to, piece))
        onWay.push(arrived)
        if (onWay.length > this.#mostOnWay) await onWay.shift()
      }
    }
    await arrived
    to.end()
  }

  /** Pieces of one connection: twice what the line holds. */
  get #mostOnWay(): number {
    return 1 + Math.ceil((2 * this.bytesPerSecond * this.#delayMs) / 1000 / PIECE_BYTES)
  }

  async #pay(bytes: number, way: Way): Promise<void> {
    const now = performance.now()
    const from = Math.max(now, way.paidUntil)
    way.paidUntil = from + (bytes * 1000) / this.bytesPerSecond
    if (from - now > 2) await sleep(from - now)
  }
}

async function write(to: Socket, piece: Buffer): Promise<void> {
  if (to.destroyed) return
  if (!to.write(piece)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve))
}
