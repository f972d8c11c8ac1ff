import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { explainedAlias, hostAliases } from './ssh-config.ts'

test('names of Host lines are aliases, patterns and other lines are none', () => {
  const text = 'Host nas "box"  *.example !no\n  HostName 192.0.2.1\nhost=other\n# Host commented\nHostname x'
  expect(hostAliases(text)).toEqual(['nas', 'box', 'other'])
})

test('a name that only ~/.ssh/config knows is reported as that, and not tried again; another is left as it is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ssh-config-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'config')
  writeFileSync(file, 'Host nas\n  HostName 192.0.2.1\n')
  const unknown = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })
  expect(await explainedAlias(unknown, 'nas', 'ssh', file)).toMatchObject({
    code: 'protocol',
    retryable: false,
    hint: expect.stringContaining('ssh -G nas'),
  })
  expect(await explainedAlias(unknown, 'other', 'ssh', file)).toBe(unknown)
  expect(await explainedAlias(unknown, 'nas', 'ssh', '/no/such/file')).toBe(unknown)
})
