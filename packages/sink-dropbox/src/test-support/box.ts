import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Sink, withRetry } from '@pipe-backup/sink'
import { type DropboxServer, type DropboxServerOptions, startDropbox } from '@pipe-backup-test/services'
import { onTestFinished } from 'vitest'
import { dropboxSink } from '../dropbox-sink.ts'
import type { DropboxSinkOptions } from '../options.ts'

export interface Box {
  readonly server: DropboxServer
  readonly sink: Sink
  /** The sink, tried again without waiting; what it would have waited is in `waits`. */
  readonly patient: Sink
  readonly waits: readonly number[]
  /** Another sink of the same place, as of another host. */
  readonly another: (options?: Partial<DropboxSinkOptions>) => Sink
  /** How often a route of files was called. */
  readonly calls: (route: string) => number
}

/** A stand-in of its own for a test, and a sink on it. */
export async function startBox(options: DropboxServerOptions = {}): Promise<Box> {
  const server = await startDropbox(options)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const { appKey, refreshToken } = server
  const login = { name: 'box', appKey, refreshToken, path: '/tipbot' }
  const urls = { apiUrl: server.apiUrl(), contentUrl: server.contentUrl() }
  const open = (more: Partial<DropboxSinkOptions> = {}): Sink => {
    const sink = dropboxSink({ ...login, ...urls, ...more })
    onTestFinished(() => sink[Symbol.asyncDispose]())
    return sink
  }
  const sink = open()
  const waits: number[] = []
  const sleep = (ms: number): Promise<void> => {
    waits.push(ms)
    return new Promise(setImmediate)
  }
  return {
    server,
    sink,
    patient: withRetry(sink, { sleep }),
    waits,
    another: open,
    calls: (route) => server.calls.get(`files/${route}`) ?? 0,
  }
}

/** Streams bytes into an object. */
export async function stream(sink: Sink, key: string, bytes: Uint8Array): Promise<void> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / 100_000) }, (_, i) =>
    bytes.subarray(i * 100_000, (i + 1) * 100_000),
  )
  await pipeline(Readable.from(pieces, { objectMode: false }), sink.createWriteStream(key))
}

export async function keysOf(sink: Sink): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  return keys.toSorted()
}
