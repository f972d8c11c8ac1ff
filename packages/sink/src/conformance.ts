import { describe, expect, test } from 'vitest'
import { faultPromises } from './conformance/fault-promises.ts'
import { FaultProxy } from './conformance/fault-proxy.ts'
import { manyObjects, type SinkObject } from './conformance/many-objects.ts'
import { promises } from './conformance/promises.ts'
import { LONG_LISTING } from './conformance/reading.ts'
import type { Sink } from './sink.ts'

export { FaultProxy, type ProxyFault } from './conformance/fault-proxy.ts'

export type { SinkObject } from './conformance/many-objects.ts'

export interface SinkSuiteOptions {
  /** Opens the sink under test on a place of its own, that is empty: another one at each call. */
  readonly open: () => Sink | Promise<Sink>
  /** How many objects the long listing has. Default 5,000; fewer for a server that takes minutes for them. */
  readonly listed?: number | undefined
  /** How many of these are put at a time. Default 8; more where what a request costs is shared by those that wait. */
  readonly putsAtOnce?: number | undefined
  /**
   * Opens a place that has these objects already, written there behind the server's back: for the server of a directory of this machine, so
   * that the long listing need not wait for as many puts. Without it they are put.
   */
  readonly openWith?: (objects: readonly SinkObject[]) => Sink | Promise<Sink>
  /** The largest object. Default 20 MiB: more than two packs; more for a sink that does otherwise with larger ones. */
  readonly largestBytes?: number | undefined
  /** False for a sink that can't keep `ifAbsent`. Default true. */
  readonly ifAbsent?: boolean | undefined
  /** True for a server that removes an object before it puts another in its place: a read may fail then. Default false. */
  readonly replacesInTwoSteps?: boolean | undefined
  /** The server, when it is reached over TCP: it is broken in all ways by a proxy in front of it. */
  readonly server?: {
    readonly host: string
    readonly port: number
    /** Whether it speaks HTTP without TLS. */
    readonly http: boolean
    /** Opens the same empty place twice: straight, and through the port of 127.0.0.1. Nothing may be tried again inside. */
    readonly openBoth: (proxyPort: number) => Promise<{ straight: Sink; proxied: Sink }>
  }
  /** Sinks that must not work, by what is wrong with them, and the code that a `put` into them fails with. */
  readonly broken?: Readonly<
    Record<string, { readonly open: () => Sink | Promise<Sink>; readonly code: string }>
  >
}

const TEST_MS = 300_000
/** How many objects of the long listing are put where the others are there already. */
const PUT_BESIDE = 50

/** The suite that every sink must pass, as a `describe` block of vitest. */
export function describeSink(name: string, options: SinkSuiteOptions): void {
  const { listed = 5000, putsAtOnce = 8, largestBytes = 20 * 1024 * 1024, ifAbsent = true } = options
  const { replacesInTwoSteps, server, broken = {} } = options
  describe(`sink ${name}`, { timeout: TEST_MS }, () => {
    test.for(Object.entries(promises))('%s', async ([name, check]) => {
      const openWith = name === LONG_LISTING ? options.openWith : undefined
      // What the sink itself puts must be listed beside what was there before.
      const there = openWith ? Math.max(0, listed - PUT_BESIDE) : 0
      await using sink = await (openWith?.(manyObjects(listed).slice(0, there)) ?? options.open())
      await check(sink, { listed, there, putsAtOnce, largestBytes, ifAbsent, replacesInTwoSteps })
    })

    if (server) {
      test.for(Object.entries(faultPromises))('%s', async ([, check]) => {
        await using proxy = await FaultProxy.start(server)
        const { straight, proxied } = await server.openBoth(proxy.port)
        await using _straight = straight
        await using _proxied = proxied
        await check({ straight, proxied, proxy, http: server.http })
      })
    }

    test.for(Object.entries(broken))('%s: a clear error', async ([, { open, code }]) => {
      await using sink = await open()
      const put = sink.put('object', Buffer.from('bytes'))
      await expect(put).rejects.toMatchObject({ name: 'SinkError', code, sink: sink.name })
    })
  })
}
