import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

type Direction = 'up' | 'down'

/** Where it happens: after so many bytes have passed towards the server (up) or from it (down). */
interface Point {
  /** Default up. */
  readonly direction?: Direction | undefined
  readonly afterBytes: number
  /** To which of the connections that are made from now on, from 1. Default all. */
  readonly connection?: number | undefined
}

/** What happens to the connections that are made from now on. */
export type ProxyFault =
  /** Nothing. */
  | { readonly type: 'none' }
  /** Ended, in both directions. */
  | ({ readonly type: 'cut' } & Point)
  /** Ended by a RST: what is under way is thrown away. */
  | ({ readonly type: 'reset' } & Point)
  /** Ended in this direction; what comes the other way still passes. */
  | ({ readonly type: 'half-close' } & Point)
  /** No byte moves in this direction any more. */
  | ({ readonly type: 'stall' } & Point)
  /** Every byte is another one. */
  | ({ readonly type: 'garbage' } & Point)
  /** Goes on at this speed. */
  | ({ readonly type: 'slow'; readonly bytesPerSecond: number } & Point)
  /** Every request is answered with this, whatever it is; the server hears nothing. */
  | { readonly type: 'answer'; readonly bytes: string }

/** A slow line hands on so much at a time. */
const SLOW_PIECES_PER_SECOND = 50

/** A TCP proxy in front of a real server, in which connections break as they do in the world. */
export class FaultProxy implements AsyncDisposable {
  /** Connections that faults were meant for. */
  faults = 0
  /** Faults that came about: connections that lived long enough for them. */
  struck = 0
  #fault: ProxyFault = { type: 'none' }
  /** Connections since the fault was set. */
  #connections = 0
  #dripping: Promise<void> = Promise.resolve()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** @param target - the real server */
  static async start(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#join(near, target))
  }

  get fault(): ProxyFault {
    return this.#fault
  }

  set fault(fault: ProxyFault) {
    this.#fault = fault
    this.#connections = 0
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Breaks the connections there are: pooled ones would not meet the next fault. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(near: Socket, target: { readonly host: string; readonly port: number }): void {
    this.#connections++
    const planned = this.#fault
    const isMeant =
      !('connection' in planned) ||
      planned.connection === undefined ||
      planned.connection === this.#connections
    const fault: ProxyFault = isMeant ? planned : { type: 'none' }
    if (fault.type !== 'none') this.faults++
    this.#keep(near)
    if (fault.type === 'answer') {
      // One answer for a request: what it sends is read and dropped, so that its end arrives.
      near.once('data', () => near.write(fault.bytes)).resume()
      return
    }
    const far = this.#keep(connect({ ...target, allowHalfOpen: true }))
    const end = () => {
      near.destroy()
      far.destroy()
    }
    near.once('close', end)
    far.once('close', end)
    this.#pass(near, far, fault, 'up')
    this.#pass(far, near, fault, 'down')
  }

  #pass(from: Socket, to: Socket, fault: ProxyFault, direction: Direction): void {
    const point = 'afterBytes' in fault && (fault.direction ?? 'up') === direction ? fault : undefined
    let left = point ? point.afterBytes : Number.POSITIVE_INFINITY
    let hasStruck = false
    from.on('data', (piece: Buffer) => {
      const good = piece.subarray(0, left)
      left -= good.length
      const rest = piece.subarray(good.length)
      if (good.length > 0) this.#write(from, to, good)
      if (rest.length === 0 || !point) return
      if (!hasStruck) this.struck++
      hasStruck = true
      this.#strike(from, to, point, rest)
    })
    from.once('end', () => to.end())
  }

  #strike(from: Socket, to: Socket, fault: Extract<ProxyFault, Point>, rest: Buffer): void {
    switch (fault.type) {
      case 'cut':
        from.pause()
        from.destroy()
        break
      case 'reset':
        from.resetAndDestroy()
        to.resetAndDestroy()
        break
      case 'half-close':
        // What still comes is read and dropped: its end arrives.
        to.end()
        break
      case 'stall':
        from.pause()
        break
      case 'garbage':
        if (to.writable)
          this.#write(
            from,
            to,
            rest.map((byte) => byte ^ 0xa5),
          )
        break
      case 'slow':
        from.pause()
        // One after the other: bytes that have waited for room may bring the next ones meanwhile.
        this.#dripping = this.#dripping.then(() => this.#drip(from, to, rest, fault.bytesPerSecond))
        break
    }
  }

  async #drip(from: Socket, to: Socket, bytes: Buffer, bytesPerSecond: number): Promise<void> {
    const pieceBytes = Math.ceil(bytesPerSecond / SLOW_PIECES_PER_SECOND)
    for (let at = 0; at < bytes.length && to.writable; at += pieceBytes) {
      await sleep(1000 / SLOW_PIECES_PER_SECOND)
      to.write(bytes.subarray(at, at + pieceBytes))
    }
    from.resume()
  }

  #write(from: Socket, to: Socket, bytes: Uint8Array): void {
    if (to.write(bytes)) return
    from.pause()
    to.once('drain', () => from.resume())
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    // A cut connection is an error at both its ends; that is what it is for.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket.setNoDelay(true)
  }
}
