import { describeSink } from '@pipe-backup/sink/conformance'
import { type S3Server, startS3 } from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { s3Sink } from './s3-sink.ts'
import { suitePlaces } from './test-support/suite-places.ts'

const server: S3Server = await startS3()
afterAll(() => server[Symbol.asyncDispose]())

const { store, suite } = await suitePlaces('cloud', server)

describeSink('s3', {
  ...suite,
  // Three pages.
  listed: 2500,
  // Three parts, of which the last is shorter.
  largestBytes: 40 * 1024 * 1024,
  broken: {
    ...suite.broken,
    'a port where nothing listens': {
      open: () => s3Sink({ ...store, endpoint: 'http://127.0.0.1:9' }),
      code: 'unreachable',
    },
    'a name that is not known': {
      open: () => s3Sink({ ...store, endpoint: 'http://store.invalid' }),
      code: 'unreachable',
    },
  },
})
