import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What happens to the connections that are made from now on. */
export type ProxyFault =
  /** Nothing. */
  | { readonly type: 'none' }
  /** Cut after so many bytes in a direction. */
  | { readonly type: 'cut'; readonly direction: 'up' | 'down'; readonly afterBytes: number }
  /** No byte moves any more after so many towards the server. */
  | { readonly type: 'stall'; readonly afterBytes: number }
  /** Every request is answered with this, whatever it is; the server hears nothing. */
  | { readonly type: 'answer'; readonly bytes: string }

/** A TCP proxy in front of a real server, in which connections break as they do in the world. */
export class FaultProxy implements AsyncDisposable {
  fault: ProxyFault = { type: 'none' }
  /** Connections that were not left alone. */
  faults = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** @param target - the real server */
  static async start(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((near) => this.#join(near, target))
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
    const { fault } = this
    if (fault.type !== 'none') this.faults++
    this.#keep(near)
    if (fault.type === 'answer') {
      // One answer for a request: what it sends is read and dropped, so that its end arrives.
      near.once('data', () => near.write(fault.bytes)).resume()
      return
    }
    const far = this.#keep(connect(target.port, target.host))
    const end = () => {
      near.destroy()
      far.destroy()
    }
    near.once('close', end)
    far.once('close', end)
    this.#pass(near, far, fault, 'up')
    this.#pass(far, near, fault, 'down')
  }

  #pass(from: Socket, to: Socket, fault: ProxyFault, direction: 'up' | 'down'): void {
    let passed = 0
    from.on('data', (piece: Buffer) => {
      const cuts = fault.type === 'cut' && fault.direction === direction
      const stalls = fault.type === 'stall' && direction === 'up'
      const most = cuts || stalls ? fault.afterBytes - passed : Number.POSITIVE_INFINITY
      passed += piece.length
      if (piece.length > most) {
        if (most > 0) to.write(piece.subarray(0, most))
        from.pause()
        if (cuts) from.destroy()
        return
      }
      if (!to.write(piece)) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    })
    from.once('end', () => to.end())
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    // A cut connection is an error at both its ends; that is what it is for.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
    return socket.setNoDelay(true)
  }
}
