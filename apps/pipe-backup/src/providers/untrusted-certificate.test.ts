import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dropboxSink } from '@pipe-backup/sink-dropbox'
import { nextcloudSink } from '@pipe-backup/sink-nextcloud'
import { s3Sink } from '@pipe-backup/sink-s3'
import { webdavSink } from '@pipe-backup/sink-webdav'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: Server
let url: string
let requests = 0

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'certificate-'))
  const [key, cert] = [join(directory, 'key'), join(directory, 'cert')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', ...made, ...subject], { stdio: 'ignore' })
  server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
    requests++
    response.end()
  })
  rmSync(directory, { recursive: true })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  url = `https://localhost:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const login = { name: 'any', user: 'u', password: 'p' }

test.for([
  ['webdav', () => webdavSink({ ...login, url: `${url}/dav` })],
  ['nextcloud', () => nextcloudSink({ ...login, server: url })],
  ['s3', () => s3Sink({ name: 'any', bucket: 'b', endpoint: url, accessKeyId: 'k', secretAccessKey: 's' })],
  ['dropbox', () => dropboxSink({ name: 'any', accessToken: 't', apiUrl: url, contentUrl: url })],
] as const)(
  'a certificate that nobody vouches for is one kind of error, and not tried again: %s',
  async ([, open]) => {
    await using sink = open()
    await expect(sink.head('object')).rejects.toMatchObject({
      name: 'SinkError',
      code: 'unauthorized',
      retryable: false,
      message: expect.stringContaining('is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)'),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    })
    expect(requests).toBe(0)
  },
)
