import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type ListenOptions } from 'node:net'

// A server listens some time after its port was chosen, and again on the same port when a test
// starts it once more. In between nobody else may get that port: neither an outgoing connection or
// a `listen(0)`, whose ports the kernel picks from its own range, nor another test.
const LOWEST = 10_000
const HIGHEST = 65_535

/**
 * A port of 127.0.0.1 that nothing listens on, and that no other caller on this machine gets while
 * this process (or worker thread) lives.
 */
export async function freePort(): Promise<number> {
  const [first, last] = portsOfTheKernel()
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = randomInt(LOWEST, HIGHEST + 1)
    if (port >= first && port <= last) continue
    // A name in the abstract namespace ends with the process that holds it, however that ends (unix(7)).
    const claim = await listen({ path: `\0pipe-backup-test-port-${port}` })
    if (claim === undefined) continue
    claim.unref()
    const probe = await listen({ port, host: '127.0.0.1' })
    if (probe === undefined) {
      claim.close()
      continue
    }
    await new Promise((resolve) => probe.close(resolve))
    return port
  }
  throw new Error('no port of 127.0.0.1 is free')
}

/**
 * The first and the last port that the kernel gives to whoever asks for none in particular (ip(7),
 * ip_local_port_range); a range that leaves nothing to choose from counts as none.
 */
function portsOfTheKernel(): [number, number] {
  const [first = 0, last = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number)
  return first - LOWEST + HIGHEST - last > 1000 ? [first, last] : [0, 0]
}

/** A server that listens there; undefined where somebody does already. */
function listen(where: ListenOptions) {
  const server = createServer()
  return new Promise<typeof server | undefined>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(where, () => resolve(server))
  })
}
