import { expect, test } from 'vitest'
import { nextcloudPlace, serverUrl } from './server-url.ts'

test.for([
  ['cloud.example.com', 'https://cloud.example.com/'],
  ['cloud.example.com:8443', 'https://cloud.example.com:8443/'],
  ['https://example.com/cloud', 'https://example.com/cloud/'],
  ['http://nas.local/', 'http://nas.local/'],
  ['https://example.com/cloud/index.php/apps/files', 'https://example.com/cloud/'],
  ['https://cloud.example.com/remote.php/dav/files/tester', 'https://cloud.example.com/'],
] as const)('%s is %s', ([server, url]) => {
  expect(serverUrl(server).href).toBe(url)
})

test.for(['', 'ftp://cloud.example.com', 'https://u:p@cloud.example.com', 'a b', 'https://h/?x=1'])(
  '%j is no server',
  (server) => {
    expect(() => serverUrl(server)).toThrow(/^nextcloud: `server`/)
  },
)

test.for([
  ['https://h/remote.php/dav/files/tester/back%20ups/', { server: 'https://h', path: 'back ups' }],
  ['https://h/cloud/remote.php/dav/files/tester', { server: 'https://h/cloud', path: '' }],
  ['https://h/remote.php/webdav/a/b', { server: 'https://h', path: 'a/b' }],
  ['https://h/remote.php/webdav/100%', { server: 'https://h', path: '100%' }],
  ['https://h/remote.php/dav/uploads/tester/', undefined],
  ['https://h/public.php/webdav/', undefined],
  ['https://h/dav/', undefined],
  ['nonsense', undefined],
] as const)('the URL %s is of a Nextcloud, or of none', ([url, place]) => {
  expect(nextcloudPlace(url)).toEqual(place)
})
