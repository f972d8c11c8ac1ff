import { once } from 'node:events'
import { createServer } from 'node:http'
import { toError } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { listenOnLoopback } from '../listen-on-loopback.ts'
import { errorLine } from '../terminal/error-line.ts'
import { exposition } from './exposition.ts'

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Serves /metrics on 127.0.0.1, where the configuration has a port for it, until it is disposed of.
 * @throws CommandError `port-taken`
 */
export async function serveMetrics(
  config: LoadedConfig,
  { output, program }: CliContext,
): Promise<AsyncDisposable | undefined> {
  const port = config.metrics?.port
  if (port === undefined) return undefined
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n')
      return
    }
    exposition(config, program).then(
      (text) => response.writeHead(200, { 'content-type': TEXT_FORMAT }).end(text),
      (error: unknown) => {
        output.warn(`metrics: ${errorLine(toError(error))}`)
        response.writeHead(500).end()
      },
    )
  })
  await listenOnLoopback(server, port, 'Give another one in the configuration: metrics: { port: 9741 }')
  output.note(`metrics: http://127.0.0.1:${port}/metrics`)
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
