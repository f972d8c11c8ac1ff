import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Entry } from '@pipe-backup/source'
import { openSnapshot, type SnapshotReader } from '@pipe-backup/vault'
import type { Context } from 'hono'
import { contentOf, findFile } from '../commands/cat.ts'
import { errorLine } from '../terminal/error-line.ts'
import { pathFromText } from './entry-json.ts'
import type { Keyring } from './keyring.ts'
import { requestCli, type UiContext } from './request-cli.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

const TYPES = { tar: 'application/x-tar', zip: 'application/zip' } as const

type DownloadContext = Context<{ Bindings: HttpBindings }>

/**
 * Sends a file of a snapshot, or with `as=tar` or `as=zip` all that is at and below a path. One that can't be read to its end cuts the connection, so
 * that the browser shows it as failed.
 * @throws before anything is sent: LockedError; VaultError `not-found`; CommandError `not-a-file`
 */
export async function download(c: DownloadContext, ui: UiContext, keyring: Keyring): Promise<Response> {
  const { cli } = requestCli(ui, c.req.raw.signal)
  const path = pathFromText(c.req.query('path'))
  const snapshot = await keyring.snapshot(c.req.query('snapshot') ?? '')
  using opened = keyring.use()
  const { sinks, keys, onProblem } = opened
  const signal = AbortSignal.any([cli.signal, opened.signal])
  await using reader = await openSnapshot({ sinks, keys, snapshot, signal, onProblem })
  const name = Buffer.from(path.subarray(path.lastIndexOf(0x2f) + 1)).toString()
  const { outgoing } = c.env
  const as = c.req.query('as')
  if (as === 'tar' || as === 'zip') {
    const entries = reader.entries([path])[Symbol.asyncIterator]()
    // What is not there is reported before anything is begun.
    const first = await entries.next()
    async function* all() {
      if (!first.done) yield first.value
      yield* { [Symbol.asyncIterator]: () => entries }
    }
    const content = await (as === 'tar' ? tarOf(all(), signal) : zipOf(all(), reader, signal))
    outgoing.writeHead(200, headersOf(`${name}-${snapshot.id.slice(0, 8)}.${as}`, TYPES[as]))
    return await send(content)
  }
  const file = await findFile(reader, path)
  const { size } = file
  outgoing.writeHead(200, {
    ...headersOf(name, 'application/octet-stream'),
    ...(size !== undefined && { 'Content-Length': String(size) }),
  })
  return await send(contentOf(file, signal))

  async function send(content: Readable | AsyncIterable<Uint8Array>): Promise<Response> {
    try {
      await pipeline(content, outgoing, { signal })
    } catch (error) {
      // The pipeline has cut the connection. A person who has cancelled need not hear of it.
      if (
        !signal.aborted &&
        error instanceof Error &&
        !('code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')
      )
        ui.cli.output.warn(`a download of ${JSON.stringify(name)} failed: ${errorLine(error)}`)
    }
    return RESPONSE_ALREADY_SENT
  }
}

async function tarOf(entries: AsyncIterable<Entry>, signal: AbortSignal): Promise<Readable> {
  const { packTar } = await import('@pipe-backup/tar')
  return packTar(entries, { signal })
}

async function zipOf(
  entries: AsyncIterable<Entry>,
  reader: SnapshotReader,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const { packZip } = await import('./pack-zip.ts')
  return packZip(entries, { signal, fileAt: async (path) => await findFile(reader, path) })
}

function headersOf(name: string, type: string): Record<string, string> {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  // RFC 8187: what encodeURIComponent leaves and a header may not have.
  const exact = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return {
    ...SECURITY_HEADERS,
    'Content-Type': type,
    'Content-Disposition': `attachment; filename="${plain}"; filename*=UTF-8''${exact}`,
  }
}
