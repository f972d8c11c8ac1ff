import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { freePort } from './free-port.ts'

/** The ports that the kernel gives to whoever names none, as its documentation has them (ip-sysctl). */
async function kernelPorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

test('no port is given twice, and none that an outgoing connection could take', async () => {
  const ports = await Promise.all(Array.from({ length: 300 }, freePort))
  expect(new Set(ports).size).toBe(300)
  const theirs = await kernelPorts(300)
  const [first, last] = [Math.min(...theirs), Math.max(...theirs)]
  expect(ports.filter((port) => port >= first && port <= last)).toEqual([])
})

test('other processes get other ports, as long as those that asked live', async () => {
  const program = `
    import { freePort } from ${JSON.stringify(new URL('./free-port.ts', import.meta.url))}
    const ports = await Promise.all(Array.from({ length: 300 }, freePort))
    console.log(JSON.stringify(ports))
    process.stdin.resume()`
  await using children = new AsyncDisposableStack()
  const given = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      children.defer(async () => {
        child.stdin.end()
        await once(child, 'exit')
      })
      const [line] = await once(createInterface(child.stdout), 'line')
      return JSON.parse(line) as number[]
    }),
  )
  expect(new Set(given.flat()).size).toBe(900)
})
