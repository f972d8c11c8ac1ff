import type { SinkSuiteOptions } from '@pipe-backup/sink/conformance'
import type { S3Store } from '@pipe-backup-test/services'
import type { S3SinkOptions } from '../s3-options.ts'
import { s3Sink } from '../s3-sink.ts'

/** Where the suite of all sinks runs in a store that speaks S3: a bucket, and a prefix for each place. */
export interface SuitePlaces {
  readonly store: S3SinkOptions & { readonly bucket: string }
  /** A prefix of its own, at each call another. */
  readonly newPrefix: () => string
  /** What holds for every such store. */
  readonly suite: Required<Pick<SinkSuiteOptions, 'open' | 'server' | 'broken'>>
}

/** Makes the bucket. */
export async function suitePlaces(name: string, server: S3Store): Promise<SuitePlaces> {
  const { endpoint, region, accessKeyId, secretAccessKey, host, port } = server
  const store = { name, endpoint, region, accessKeyId, secretAccessKey, bucket: 'backups' }
  await s3Sink({ ...store, create: true }).put('made', Buffer.from('the bucket'))
  let places = 0
  const newPrefix = (): string => `place-${++places}`
  const suite: SuitePlaces['suite'] = {
    open: () => s3Sink({ ...store, prefix: newPrefix() }),
    server: {
      host,
      port,
      http: true,
      openBoth: async (proxyPort) => {
        const prefix = newPrefix()
        const proxied = s3Sink({ ...store, prefix, endpoint: `http://127.0.0.1:${proxyPort}` })
        return { straight: s3Sink({ ...store, prefix }), proxied }
      },
    },
    broken: {
      'a bucket that is not there': {
        open: () => s3Sink({ ...store, bucket: 'no-such-bucket' }),
        code: 'protocol',
      },
      'an access key that is not there': {
        open: () => s3Sink({ ...store, accessKeyId: 'NOBODYSKEYID00000000' }),
        code: 'unauthorized',
      },
      'a wrong secret key': {
        open: () => s3Sink({ ...store, secretAccessKey: 'wrong' }),
        code: 'unauthorized',
      },
      'a storage class that is not there': {
        open: () => s3Sink({ ...store, storageClass: 'NO_SUCH_CLASS' }),
        code: 'protocol',
      },
    },
  }
  return { store, newPrefix, suite }
}
