import { expect, test } from 'vitest'
import { checkOptions, type DropboxSinkOptions } from './options.ts'

const good = { name: 'box', appKey: 'key', refreshToken: 'se-cret' }

test.for<[what: string, options: Partial<DropboxSinkOptions>, said: string]>([
  ['an empty app key', { appKey: '' }, 'appKey is empty'],
  ['a token with a line end', { refreshToken: 'se-cret\n' }, 'refreshToken is empty, or has spaces'],
  ['a secret with letters of no header', { appSecret: 'se-cretß' }, 'appSecret'],
  ['a path that leads up', { path: 'a/../b' }, 'path can\'t have ".."'],
  ['a path with a backslash', { path: 'a\\b' }, 'path'],
  ['a path whose name ends in a space', { path: 'a /b' }, 'path'],
  [
    'an address in the clear',
    { apiUrl: 'http://example.com' },
    'apiUrl must be a URL that begins with https://',
  ],
  ['an address that is none', { contentUrl: 'example.com' }, 'contentUrl must be a URL'],
  ['an address with a password', { apiUrl: 'https://:se-cret@example.com' }, 'apiUrl must be no more than'],
  ['an address with a query', { apiUrl: 'https://example.com/?a=b' }, 'apiUrl must be no more than'],
])('%s is refused, without showing a secret', ([, options, said]) => {
  expect(() => checkOptions({ ...good, ...options })).toThrow(said)
  expect(() => checkOptions({ ...good, ...options })).toThrow(/^(?!.*se-cret)/)
})

test('without a login there is no sink: what to do is said', () => {
  expect(() => checkOptions({ name: 'box', appKey: 'key' })).toThrow('run `pipe-backup dropbox login`')
  expect(() => checkOptions({ name: 'box', refreshToken: 'se-cret' })).toThrow('appKey is missing')
})

test.for([
  [undefined, ''],
  ['', ''],
  ['/', ''],
  ['tipbot', '/tipbot'],
  ['/Backups//tip bot/', '/Backups/tip bot'],
] as const)('the path %j is the folder %j', ([path, root]) => {
  expect(checkOptions({ ...good, path }).root).toBe(root)
})

test('addresses are taken without their last slash; in the clear only on this machine', () => {
  const { api } = checkOptions({
    ...good,
    apiUrl: 'https://proxy.example.com/api/',
    contentUrl: 'http://[::1]:80',
  })
  expect([api.apiUrl, api.contentUrl]).toEqual(['https://proxy.example.com/api', 'http://[::1]'])
})
