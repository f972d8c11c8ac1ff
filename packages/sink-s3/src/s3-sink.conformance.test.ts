import { describeSink } from '@pipe-backup/sink/conformance'
import { type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { s3Sink } from './s3-sink.ts'

const server: S3Server = await startS3()
afterAll(() => server[Symbol.asyncDispose]())

const { endpoint, region, accessKeyId, secretAccessKey, host, port } = server
const store = { name: 'cloud', endpoint, region, accessKeyId, secretAccessKey, bucket: 'backups' }
await s3Sink({ ...store, create: true }).put('made', Buffer.from('the bucket'))
let places = 0

describeSink('s3', {
  open: () => s3Sink({ ...store, prefix: `place-${++places}` }),
  // Three pages.
  listed: 2500,
  server: {
    host,
    port,
    http: true,
    openBoth: async (proxyPort) => {
      const prefix = `place-${++places}`
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
    'a port where nothing listens': {
      open: () => s3Sink({ ...store, endpoint: 'http://127.0.0.1:9' }),
      code: 'unreachable',
    },
    'a name that is not known': {
      open: () => s3Sink({ ...store, endpoint: 'http://store.invalid' }),
      code: 'unreachable',
    },
    'a storage class that is not there': {
      open: () => s3Sink({ ...store, storageClass: 'NO_SUCH_CLASS' }),
      code: 'protocol',
    },
  },
})
