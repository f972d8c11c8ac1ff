import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { refuseSharedLocations } from './shared-locations.ts'

const root = mkdtempSync(join(tmpdir(), 'sink-places-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
mkdirSync(join(root, 'disk/inner'), { recursive: true })
symlinkSync('disk', join(root, 'link'))

type Options = Readonly<Record<string, unknown>>

function judge(type: string, first: Options, second: Options & { readonly type?: string }): Promise<void> {
  const sinks = [
    { type, name: 'one', ...first },
    { type, name: 'two', ...second },
  ]
  return refuseSharedLocations({ sinks, file: 'config.yaml', path: (value) => resolve(root, value) })
}

const ssh = { host: 'h.example', user: 'u' }
const bucket = { bucket: 'b' }
const login = { refreshToken: { env: 'TOKEN' } }
const cloud = { user: 'u', server: 'cloud.example' }
const url = 'https://cloud.example/remote.php/dav/files/u/backups'

test.for<[string, Options, Options & { readonly type?: string }]>([
  ['local', { path: 'disk' }, { path: 'disk/' }],
  ['local', { path: 'disk' }, { path: 'link' }],
  ['local', { path: 'link/new' }, { path: 'disk/new' }],
  ['local', { path: 'disk' }, { path: 'link/inner' }],
  ['local', { path: 'disk/new/inner' }, { path: 'disk/new' }],
  ['sftp', { ...ssh, path: '/srv/b' }, { ...ssh, path: '/srv//b/', port: 22, host: 'H.example' }],
  ['sftp', { ...ssh, path: '~/b' }, { ...ssh, path: 'b/inner' }],
  ['rsync', { target: 'u@h:b' }, { target: 'u@h:~/b/' }],
  ['rsync', { target: 'u@h:b' }, { target: 'u@h:b', port: 22 }],
  ['rsync', { target: 'rsync://u@h/m/b' }, { target: 'rsync://u@h:873/m/b/' }],
  ['rsync', { target: 'rsync://u@h/m' }, { target: 'rsync://u@h/m/b' }],
  ['s3', { ...bucket, prefix: 'p' }, { ...bucket, prefix: 'p/' }],
  ['s3', bucket, { ...bucket, prefix: 'p', endpoint: 'https://s3.eu-west-1.amazonaws.com' }],
  ['s3', { ...bucket, endpoint: 'https://s.example' }, { ...bucket, endpoint: 'https://S.example:443/' }],
  ['webdav', { url: 'https://d.example/a' }, { url: 'https://d.example:443/a/' }],
  ['webdav', { url, user: 'u' }, { ...cloud, path: '/backups/', type: 'nextcloud' }],
  ['nextcloud', cloud, { ...cloud, server: 'https://cloud.example/', path: 'pipe-backup/inner' }],
  ['dropbox', login, { ...login, path: '/' }],
  ['dropbox', { ...login, path: 'A' }, { ...login, path: '/a/b' }],
])('%s: %o and %o are one place', async ([type, first, second]) => {
  await expect(judge(type, first, second)).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringMatching(/"two" is (the same|inside the|around the) place .*"one"/),
  })
})

test.for<[string, Options, Options & { readonly type?: string }]>([
  ['local', { path: 'disk' }, { path: 'disk2' }],
  ['sftp', { ...ssh, path: 'b' }, { ...ssh, path: '/b' }],
  ['sftp', { ...ssh, path: 'b' }, { ...ssh, path: 'b', port: 2222 }],
  ['sftp', { ...ssh, path: 'b' }, { ...ssh, path: 'bb' }],
  ['rsync', { target: 'u@h:', identity: 'one' }, { target: 'u@h:', identity: 'two' }],
  ['s3', { ...bucket, prefix: 'p' }, { ...bucket, prefix: 'pp' }],
  ['s3', bucket, { ...bucket, endpoint: 'https://s.example' }],
  ['webdav', { url: 'https://d.example/a' }, { url: 'https://d.example/b' }],
  ['nextcloud', cloud, { ...cloud, user: 'v' }],
  ['dropbox', login, { refreshToken: { env: 'OTHER' } }],
])('%s: %o and %o are two places', async ([type, first, second]) => {
  await expect(judge(type, first, second)).resolves.toBeUndefined()
})
