import { createHash } from 'node:crypto'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import type { Upload } from '@aws-sdk/lib-storage'
import { Connections } from '@pipe-backup/http'
import type { S3Settings } from './s3-options.ts'
import { watchedHandler } from './watched-handler.ts'

export type Sdk = typeof import('@aws-sdk/client-s3')

/** The SDK, loaded, and its client. */
export interface S3Connection {
  readonly sdk: Sdk
  readonly client: S3Client
  /** The SDK's, for streams. */
  readonly Upload: typeof Upload
  /**
   * Whether the last request went to Amazon itself, whose store keeps what it documents. Seen from where requests go: an endpoint may
   * also come from the environment or the profile.
   */
  isAmazons(): boolean
  close(): void
}

const CONNECT_MS = 10_000
/** Amazon closes idle connections after 20 s. */
const IDLE_MS = 15_000
/** Puts at once times a stream's parts, and some. */
const MAX_SOCKETS = 64

/** Loads the SDK: it takes a tenth of a second, so not before the first request. */
export async function connect(settings: S3Settings): Promise<S3Connection> {
  const [sdk, { Upload }, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@aws-sdk/lib-storage'),
    import('@smithy/node-http-handler'),
  ])
  const connections = new Connections({ maxSockets: MAX_SOCKETS, idleMs: IDLE_MS })
  const handler = new NodeHttpHandler({
    connectionTimeout: CONNECT_MS,
    // However long a transfer takes: silence is `withTimeout`'s affair.
    requestTimeout: 0,
    socketTimeout: 0,
    httpAgent: connections.http,
    httpsAgent: connections.https,
    logger: SILENT,
  })
  let host = ''
  const requestHandler = watchedHandler(handler, (name) => {
    host = name
  })
  const client = new sdk.S3Client({ ...configOf(settings), requestHandler })
  signOnce(client)
  useContentMd5(client)
  return {
    sdk,
    client,
    Upload,
    isAmazons: () => isAmazonsHost(host),
    close: () => handler.destroy(),
  }
}

const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {}

/** Whether it is a host of S3 itself: a store of somebody on a machine at Amazon has another name. */
export function isAmazonsHost(host: string): boolean {
  return /(?:^|\.)s3[.-](?:[a-z0-9-]+\.)*amazonaws\.com(?:\.cn)?$/.test(host)
}

function configOf(settings: S3Settings): S3ClientConfig {
  const { endpoint, accessKeyId, secretAccessKey, sessionToken, profile, forcePathStyle } = settings
  const region = settings.region ?? (endpoint === undefined ? undefined : 'us-east-1')
  return {
    maxAttempts: 1,
    logger: SILENT,
    // The checksums are ours; trailers and CRC32 are what many stores can't take.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK would open a connection of its own for each such request.
    expectContinueHeader: false,
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(profile !== undefined && { profile }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  }
}

interface SignedRequest {
  readonly query: Record<string, unknown>
  readonly headers: Record<string, string>
  readonly body?: unknown
}

/** Signs with the checksum that is sent anyway, where the SDK would hash the body another time. */
function signOnce(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      if (isRequest(args.request)) {
        const { headers } = args.request
        const sha256 = headers['x-amz-checksum-sha256']
        if (sha256) headers['x-amz-content-sha256'] = Buffer.from(sha256, 'base64').toString('hex')
      }
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'signOnce' },
  )
}

/** DeleteObjects must have a checksum. All stores know this one, and not all the SDK's CRC32. */
function useContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args
      if (isRequest(request) && request.query['delete'] !== undefined && typeof request.body === 'string') {
        delete request.headers['x-amz-checksum-crc32']
        delete request.headers['x-amz-sdk-checksum-algorithm']
        request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64')
      }
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'useContentMd5' },
  )
}

function isRequest(request: unknown): request is SignedRequest {
  return typeof request === 'object' && request !== null && 'headers' in request && 'query' in request
}
