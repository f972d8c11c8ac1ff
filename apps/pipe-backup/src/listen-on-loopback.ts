import { once } from 'node:events'
import type { Server } from 'node:http'
import { CommandError } from './command-error.ts'

/** Reached from this machine alone. */
const HOST = '127.0.0.1'

/**
 * Has a server listen on this machine's own address.
 * @param port - 0 for any that is free
 * @param hint - what to do when the port can't be had
 * @throws CommandError `port-taken`
 */
export async function listenOnLoopback(server: Server, port: number, hint: string): Promise<void> {
  server.listen(port, HOST)
  try {
    await once(server, 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    throw new CommandError('port-taken', `port ${port} can't be used: ${code}`, hint)
  }
}
