import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { toError } from '@pipe-backup/sink'
import type { CliContext } from '../cli-context.ts'
import { findHost } from '../host/load-host.ts'
import { SnapshotShelf } from '../mount/snapshot-shelf.ts'
import { View } from '../mount/view.ts'
import { HOST, serveView, USER, type ViewServer, type ViewServerOptions } from '../mount/view-server.ts'
import { errorLine } from '../terminal/error-line.ts'
import { escapeControls } from '../terminal/escape-bytes.ts'
import { UsageError } from '../usage-error.ts'
import { openSnapshots } from '../vault/open-reading.ts'

const PASSWORD_BYTES = 18

export interface MountOptions {
  /** 0 for any free one. */
  readonly port: number
  /** Only snapshots with any of these. */
  readonly tag?: readonly string[] | undefined
  readonly phraseFile?: string | undefined
}

/** `mount`: all the snapshots as a read-only WebDAV view, until a signal comes. @returns the exit code */
export async function mount(cli: CliContext, { port, tag, phraseFile }: MountOptions): Promise<number> {
  const { output, options, signal } = cli
  if (options.quiet && !output.json)
    throw new UsageError(
      'mount prints its password, which --quiet would hide',
      'Leave --quiet out, or add --json.',
    )
  await using opened = await openSnapshots(cli, phraseFile, tag)
  const { config, sinks, keys } = opened
  const host = await findHost(config.hostKey).catch(() => undefined)
  const onProblem = (error: Error): void => output.warn(errorLine(error))
  const warn = (line: string): void => output.warn(line)
  const shelf = new SnapshotShelf({ config, sinks, keys, tag, hostId: host?.hostId, signal, onProblem, warn })
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  const onError = (error: unknown, path: string): void => {
    shelf.reopen()
    output.error(`${escapeControls(path)} could not be read: ${errorLine(toError(error))}`)
  }
  await using server = await listen({ view: new View(shelf), port, password, signal, onError })
  const url = `http://${HOST}:${server.port}/`
  output.printJson({ url, user: USER, password })
  output.print(howToOpen(url, password))
  if (!signal.aborted) await once(signal, 'abort')
  return 0
}

async function listen(options: ViewServerOptions): Promise<ViewServer> {
  try {
    return await serveView(options)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const { port } = options
    if (error.code === 'EADDRINUSE')
      throw new UsageError(
        `port ${port} of ${HOST} is in use`,
        'Choose another, or leave --port out for a free one.',
      )
    if (error.code === 'EACCES')
      throw new UsageError(`port ${port} is not for this user`, 'Choose one from 1024 on.')
    throw error
  }
}

function howToOpen(url: string, password: string): string {
  const remote = 'RCLONE_CONFIG_BACKUP'
  return `${url}
user      ${USER}
password  ${password}

browser, file manager   ${url} (in some: dav://${new URL(url).host}/)
davfs2                  mount -t davfs -o ro ${url} /mnt
rclone                  export ${remote}_TYPE=webdav ${remote}_VENDOR=other ${remote}_URL=${url} ${remote}_USER=${USER}
                        export ${remote}_PASS="$(echo ${password} | rclone obscure -)"
                        rclone ls backup:latest

Ctrl-C ends it.`
}
