import { describeSink } from '@pipe-backup/sink/conformance'
import { startDropbox } from '@pipe-backup-test/services'
import { afterAll } from 'vitest'
import { dropboxSink } from './dropbox-sink.ts'

const dropbox = await startDropbox()
const withdrawn = await startDropbox()
withdrawn.tokens.revoke()
const full = await startDropbox({ quotaBytes: 3 })
afterAll(async () => {
  for (const server of [dropbox, withdrawn, full]) await server[Symbol.asyncDispose]()
})
let places = 0

function open(server = dropbox, path = `/place ${++places}/Übergang`, port = server.port) {
  const { appKey, refreshToken } = server
  const urls = { apiUrl: server.apiUrl(port), contentUrl: server.contentUrl(port) }
  return dropboxSink({ name: 'box', appKey, refreshToken, path, ...urls })
}

describeSink('dropbox', {
  open: () => open(),
  server: {
    host: dropbox.host,
    port: dropbox.port,
    http: true,
    openBoth: async (proxyPort) => {
      const path = `/proxied ${++places}`
      return { straight: open(dropbox, path), proxied: open(dropbox, path, proxyPort) }
    },
  },
  broken: {
    'a login that was withdrawn': { open: () => open(withdrawn), code: 'unauthorized' },
    'a Dropbox that is full': { open: () => open(full), code: 'full' },
    'an access token that is none': {
      open: () =>
        dropboxSink({
          name: 'box',
          accessToken: 'x',
          apiUrl: dropbox.apiUrl(),
          contentUrl: dropbox.contentUrl(),
        }),
      code: 'unauthorized',
    },
    'nothing that listens': { open: () => open(dropbox, '/x', 9), code: 'unreachable' },
  },
})
