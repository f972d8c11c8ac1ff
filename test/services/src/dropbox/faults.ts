/** What goes wrong with a request. */
export type DropboxFault =
  /** This is answered, and nothing is done. */
  | {
      readonly type: 'answer'
      readonly status: number
      readonly body?: string | object
      readonly headers?: Readonly<Record<string, string>>
    }
  | {
      readonly type: 'rate-limit'
      readonly reason: 'too_many_requests' | 'too_many_write_operations'
      readonly seconds: number
    }
  /** Nothing is done, and the connection is cut. */
  | { readonly type: 'cut' }
  /** All is done, and the connection is cut instead of an answer. */
  | { readonly type: 'lose-answer' }
  /** Nothing is done, and nothing is answered. */
  | { readonly type: 'stall' }
  /** A bit of the bytes that arrive is another one. */
  | { readonly type: 'flip' }

export interface FaultScope {
  /** How many requests it meets. Default 1. */
  readonly times?: number
  /** The name of the route, such as `files/upload`; `oauth2/token` is one too. Default any. */
  readonly route?: string
}

/** The faults that are still to come, in the order in which they were asked for. */
export class Faults {
  #planned: { readonly fault: DropboxFault; readonly route: string | undefined; times: number }[] = []

  plan(fault: DropboxFault, { times = 1, route }: FaultScope = {}): void {
    this.#planned.push({ fault, route, times })
  }

  next(route: string): DropboxFault | undefined {
    const planned = this.#planned.find((plan) => plan.route === undefined || plan.route === route)
    if (!planned) return undefined
    planned.times--
    if (planned.times <= 0) this.#planned = this.#planned.filter((plan) => plan !== planned)
    return planned.fault
  }
}

/** The bytes, the first of them with another bit. */
export async function* flipped(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let done = false
  for await (const bytes of body) {
    const copy = Uint8Array.from(bytes)
    if (!done && copy[0] !== undefined) {
      copy[0] ^= 1
      done = true
    }
    yield copy
  }
}
