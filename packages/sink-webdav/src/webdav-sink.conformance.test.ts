import { describeSink } from '@pipe-backup/sink/conformance'
import {
  type DavServer,
  giveToApache,
  startApache,
  startSabreDav,
  writeObjects,
} from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { webdavSink } from './webdav-sink.ts'

const [apache, sabre] = await Promise.all([startApache(), startSabreDav()])
afterAll(async () => {
  for (const server of [apache, sabre]) await server[Symbol.asyncDispose]()
})

function suite(name: string, server: DavServer, makeCollection: DavServer['makeCollection']): void {
  const { host, port, user, password } = server
  const login = { name: 'dav', user, password }
  const url = () => makeCollection().url
  describeSink(name, {
    open: () => webdavSink({ ...login, url: url() }),
    openWith: (objects) => {
      const collection = makeCollection()
      giveToApache(...writeObjects(collection.local, objects))
      return webdavSink({ ...login, url: collection.url })
    },
    server: {
      host,
      port,
      http: true,
      openBoth: async (proxyPort) => {
        const straight = url()
        return {
          straight: webdavSink({ ...login, url: straight }),
          proxied: webdavSink({ ...login, url: straight.replace(`:${port}/`, `:${proxyPort}/`) }),
        }
      },
    },
    broken: {
      'a wrong password': {
        open: () => webdavSink({ ...login, password: 'wrong', url: url() }),
        code: 'unauthorized',
      },
      'no credentials': { open: () => webdavSink({ name: 'dav', url: url() }), code: 'unauthorized' },
      'a collection that is not there': {
        open: () => webdavSink({ ...login, url: `${url()}unmounted` }),
        code: 'unreachable',
      },
      'a port where nothing listens': {
        open: () => webdavSink({ ...login, url: 'http://127.0.0.1:1/' }),
        code: 'unreachable',
      },
    },
  })
}

suite('webdav, Apache mod_dav', apache, () => apache.makeCollection('basic'))
suite('webdav, Apache mod_dav with Digest', apache, () => apache.makeCollection('digest'))
suite('webdav, sabre/dav', sabre, () => sabre.makeCollection())
