import { describeSink } from '@pipe-backup/sink/conformance'
import { giveToApache, startNextcloud, writeObjects } from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { nextcloudSink } from './nextcloud-sink.ts'

const cloud = await startNextcloud()
afterAll(() => cloud[Symbol.asyncDispose]())

const { host, port, url: server, user, password } = cloud
const login = { name: 'cloud', server, user, password }
const path = () => cloud.makeFolder().path

describeSink('nextcloud', {
  open: () => nextcloudSink({ ...login, path: path() }),
  openWith: (objects) => {
    const folder = cloud.makeFolder()
    giveToApache(...writeObjects(folder.local, objects))
    return nextcloudSink({ ...login, path: folder.path })
  },
  // In chunks, also where its length is known.
  largestBytes: 70 * 1024 * 1024,
  server: {
    host,
    port,
    http: true,
    openBoth: async (proxyPort) => {
      const place = { ...login, path: path() }
      return {
        straight: nextcloudSink(place),
        proxied: nextcloudSink({ ...place, server: `http://127.0.0.1:${proxyPort}` }),
      }
    },
  },
  broken: {
    'a wrong password': {
      open: () => nextcloudSink({ ...login, password: 'wrong', path: path() }),
      code: 'unauthorized',
    },
    'a folder that is not there': {
      open: () => nextcloudSink({ ...login, path: `${path()}/mistyped` }),
      code: 'unreachable',
    },
    'a path where no Nextcloud is': {
      open: () => nextcloudSink({ ...login, server: `${server}/cloud`, path: path() }),
      code: 'protocol',
    },
    'a port where nothing listens': {
      open: () => nextcloudSink({ ...login, server: 'http://127.0.0.1:1', path: path() }),
      code: 'unreachable',
    },
  },
})
