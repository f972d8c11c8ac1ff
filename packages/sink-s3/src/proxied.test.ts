import { startConnectProxy } from '@pipe-backup-test/services'
import { expect, test, vi } from 'vitest'
import { s3Sink } from './index.ts'

test('requests go through the proxy of HTTPS_PROXY, and one that makes no connection is named', async () => {
  await using proxy = await startConnectProxy({ lets: false })
  vi.stubEnv('HTTPS_PROXY', proxy.url)
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
  await using sink = s3Sink({ name: 'cloud', bucket: 'bucket', region: 'eu-west-1', ...credentials })
  await expect(sink.head('object')).rejects.toMatchObject({
    code: 'unreachable',
    hint: expect.stringContaining('HTTPS_PROXY'),
  })
  expect(new Set(proxy.asked)).toEqual(new Set(['bucket.s3.eu-west-1.amazonaws.com:443']))
})
