import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findKnownKeys, fingerprintOf, keyType } from './known-hosts.ts'

const directory = mkdtempSync(join(tmpdir(), 'known-hosts-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const file = join(directory, 'key')
execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file])
const line = readFileSync(`${file}.pub`, 'utf8').trim()
const key = Buffer.from(line.split(' ')[1] ?? '', 'base64')

const isTrusted = (names: string, host: string, port = 22) =>
  findKnownKeys(`# a comment\n\n${names} ${line} comment\n`, host, port).trusted.some((one) =>
    one.equals(key),
  )

test('a fingerprint is what ssh-keygen shows', () => {
  const shown = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' })
  expect({ fingerprint: fingerprintOf(key), type: keyType(key) }).toEqual({
    fingerprint: shown.split(' ')[1],
    type: 'ssh-ed25519',
  })
})

test.for<[string, string, number, boolean]>([
  ['host.example', 'host.example', 22, true],
  ['host.example', 'HOST.example', 22, true],
  ['host.example', 'other.example', 22, false],
  ['host.example', 'host.example', 2222, false],
  ['[host.example]:2222', 'host.example', 2222, true],
  ['a.example,host.example', 'host.example', 22, true],
  ['*.example', 'host.example', 22, true],
  ['*.example,!host.example', 'host.example', 22, false],
  ['hos?.example', 'host.example', 22, true],
  ['h*t.*a*ple', 'host.example', 22, true],
  ['h*t.*a*plex', 'host.example', 22, false],
  ['*', 'host.example', 22, true],
  ['host.example?', 'host.example', 22, false],
  ['hostXexample', 'host.example', 22, false],
  ['host.example', 'hostXexample', 22, false],
])('"%s" speaks of %s, port %i: %s', ([names, host, port, trusted]) => {
  expect(isTrusted(names, host, port)).toBe(trusted)
})

test('hashed names, as ssh-keygen -H writes them, are found', () => {
  const known = join(directory, 'known_hosts')
  writeFileSync(known, `host.example ${line}\n[host.example]:2222 ${line}\n`)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', known], { stdio: 'ignore' })
  const text = readFileSync(known, 'utf8')
  expect(text).not.toContain('host.example')
  const count = (host: string, port: number) => findKnownKeys(text, host, port).trusted.length
  expect([count('host.example', 22), count('host.example', 2222), count('other', 22)]).toEqual([1, 1, 0])
})

test('a revoked key is reported as that; a certificate authority vouches for nothing here', () => {
  expect(findKnownKeys(`@revoked * ${line}\n`, 'host', 22)).toEqual({ trusted: [], revoked: [key] })
  expect(findKnownKeys(`@cert-authority * ${line}\n`, 'host', 22)).toEqual({ trusted: [], revoked: [] })
})

test('a pattern of many stars is soon done with', () => {
  const started = performance.now()
  expect(isTrusted(`${'*a'.repeat(5000)}b`, 'a'.repeat(200))).toBe(false)
  expect(performance.now() - started).toBeLessThan(1000)
})
