import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadConfig } from '../config/load-config.ts'
import { thisMachine } from '../machine.ts'
import { maskedConfig } from './masked-config.ts'

const directory = mkdtempSync(join(tmpdir(), 'pipe-backup-masked-'))
afterAll(() => rmSync(directory, { recursive: true }))

test('every kind of secret is masked, and where it comes from is shown', async () => {
  const file = join(directory, 'pipe-backup.json')
  const config = {
    before: ['notify', '--token', 'SECRET-1'],
    sources: [
      { type: 'mysql', name: 'db', databases: ['shop'], user: 'backup', password: 'SECRET-2' },
      {
        type: 'command',
        name: 'dump',
        run: ['dump', '-pSECRET-3'],
        path: 'dump.sql',
        env: { API_TOKEN: 'SECRET-4', LANG: 'C' },
      },
    ],
    sinks: [
      {
        type: 'webdav',
        name: 'dav',
        url: 'https://me:SECRET-5@dav.example.com/',
        user: 'me',
        password: 'SECRET-6',
      },
      {
        type: 'nextcloud',
        name: 'cloud',
        server: 'cloud.example.com',
        user: 'me',
        password: { env: 'CLOUD' },
      },
      {
        type: 's3',
        name: 'aws',
        bucket: 'b',
        accessKeyId: 'AKIA',
        secretAccessKey: { command: ['pass', 'SECRET-7'] },
      },
    ],
    notify: [
      { type: 'webhook', url: 'https://hooks.example.com/SECRET-8' },
      {
        type: 'email',
        smtp: 'smtp://me:SECRET-9@mail.example.com',
        from: 'a@example.com',
        to: ['b@example.com'],
      },
    ],
  }
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const masked = maskedConfig(await loadConfig(file, thisMachine()))
  expect(JSON.stringify(masked)).not.toContain('SECRET')
  const shown = [
    masked.settings,
    ...[...masked.sources, ...masked.sinks].map(({ settings }) => settings),
  ].flat()
  expect(shown).toEqual(
    expect.arrayContaining([
      { key: 'before', value: 'notify … (2 more)' },
      { key: 'run', value: 'dump … (1 more)' },
      { key: 'env', value: 'API_TOKEN: ••••••, LANG: C' },
      { key: 'password', value: 'env: CLOUD' },
      { key: 'secretAccessKey', value: 'command: pass … (1 more)' },
    ]),
  )
})
