import { startConnectProxy } from '@pipe-backup-test/services'
import { expect, test, vi } from 'vitest'
import { dropboxSink } from './dropbox-sink.ts'

test('requests go through the proxy of HTTPS_PROXY, and one that makes no connection is named', async () => {
  await using proxy = await startConnectProxy({ lets: false })
  vi.stubEnv('HTTPS_PROXY', proxy.url)
  await using sink = dropboxSink({ name: 'box', accessToken: 'token' })
  await expect(sink.head('object')).rejects.toMatchObject({
    code: 'unreachable',
    hint: expect.stringContaining('HTTPS_PROXY'),
  })
  expect(proxy.asked).toEqual(['api.dropboxapi.com:443'])
})
