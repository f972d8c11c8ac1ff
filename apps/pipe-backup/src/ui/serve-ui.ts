import { once } from 'node:events'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { listenOnLoopback } from '../listen-on-loopback.ts'
import { Access } from './access.ts'
import { createApp } from './app.ts'
import { Keyring } from './keyring.ts'
import { readPage } from './page-files.ts'
import type { UiContext } from './request-cli.ts'
import { Tasks } from './tasks.ts'

/**
 * Serves the page on this machine alone until the program is stopped.
 * @param port - 0 for any that is free
 * @param onListening - called with the address to open
 * @throws CommandError `no-page`; `port-taken`
 */
export async function serveUi(
  ui: UiContext,
  port: number,
  onListening: (address: string) => void,
): Promise<void> {
  const { signal } = ui.cli
  const files = await readPage()
  const keyring = new Keyring(ui)
  const tasks = new Tasks(ui)
  const portOf = (): number => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }
  const access = new Access(portOf)
  const app = createApp({ ui, keyring, tasks }, access, files)
  const answer = getRequestListener(app.fetch)
  const server = createServer((incoming, outgoing) => {
    // Its own failures are answered; this is what no answer could be given for.
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  const closed = once(server, 'close')
  await listenOnLoopback(server, port, 'Give another one, or none: a free one is taken.')
  onListening(access.address)
  try {
    if (!signal.aborted) await once(signal, 'abort')
  } finally {
    await tasks.stop()
    server.close()
    // Pages that are open keep their connections.
    server.closeAllConnections()
    await closed
    await keyring.forget()
  }
}
