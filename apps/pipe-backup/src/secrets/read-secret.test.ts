import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSecretReader, type SecretReader } from './read-secret.ts'

let directory: string
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pipe-backup-secret-'))
  env = { PATH: process.env['PATH'] }
})

afterEach(async () => await rm(directory, { recursive: true }))

function reader(config: unknown = {}, signal?: AbortSignal): SecretReader {
  return createSecretReader(config, { env, path: (value) => resolve(directory, value), signal })
}

test('a secret in the clear is itself', async () => {
  expect(await reader().read('hunter2')).toBe('hunter2')
})

test('a variable is read, and is gone from the environment before any program can be started', async () => {
  env['DB'] = 'hunter2'
  const secrets = reader({ sources: [{ password: { env: 'DB' } }], sinks: [{ x: { env: 'NOT_SET' } }] })
  expect(env['DB']).toBeUndefined()
  expect(await secrets.read({ env: 'DB' })).toBe('hunter2')
  expect(await secrets.read({ env: 'DB' })).toBe('hunter2')
})

test('a variable that is not set is named', async () => {
  await expect(reader({ a: { env: 'NOT_SET' } }).read({ env: 'NOT_SET' })).rejects.toMatchObject({
    code: 'missing',
    message: 'the environment variable NOT_SET is not set',
  })
})

test("a file's secret is all but the end of its last line", async () => {
  await writeFile(join(directory, 's'), ' two\nlines \r\n')
  expect(await reader().read({ file: 's' })).toBe(' two\nlines ')
})

test('a line that is not one is refused by name, and what an editor has added is pointed at', async () => {
  await writeFile(join(directory, 's'), 'hunter2\n\n')
  await writeFile(join(directory, 'marked'), '\u{FEFF}hunter2\n')
  await writeFile(join(directory, 'blank'), 'hunter2 \r\n')
  const secrets = reader()
  await expect(secrets.readLine({ file: 's' })).rejects.toMatchObject({
    code: 'bad-value',
    message: 'the secret from s holds a line end, or a NUL',
  })
  expect(await secrets.readLine({ file: 'marked' })).toBe('\u{FEFF}hunter2')
  expect(await secrets.readLine({ file: 'blank' })).toBe('hunter2 ')
  expect(secrets.oddities()).toEqual([
    'the secret from marked begins with a byte order mark',
    'the secret from blank begins or ends with a blank',
  ])
})

test('an empty file holds no secret', async () => {
  await writeFile(join(directory, 's'), '\n')
  await expect(reader().read({ file: 's' })).rejects.toMatchObject({ code: 'missing' })
})

test('a file that is not there is named', async () => {
  await expect(reader().read({ file: 's' })).rejects.toMatchObject({
    code: 'unreadable',
    message: `${join(directory, 's')}: a secret's file can't be read: ENOENT`,
  })
})

test('a mistaken path to something large is refused', async () => {
  await writeFile(join(directory, 's'), Buffer.alloc(70_000, 'x'))
  await expect(reader().read({ file: 's' })).rejects.toMatchObject({ code: 'unreadable' })
})

test("a command's output is the secret", async () => {
  expect(await reader().read({ command: ['printf', 'a b\\n'] })).toBe('a b')
})

test('a command beside the configuration is found', async () => {
  await writeFile(join(directory, 'secret.sh'), '#!/bin/sh\necho from-script\n', { mode: 0o755 })
  expect(await reader().read({ command: ['./secret.sh'] })).toBe('from-script')
})

test('a command that fails gives no secret, and what it printed is not reported', async () => {
  const error = await reader()
    .read({ command: ['sh', '-c', 'echo hunter2; exit 3'] })
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'unreadable',
    message: 'the command for a secret, sh, failed with exit code 3',
  })
})

test('a command that is not there is named', async () => {
  await expect(reader().read({ command: ['no-such-program-here'] })).rejects.toMatchObject({
    message: "the command for a secret, no-such-program-here, can't be run: ENOENT",
  })
})

test('a command that prints without end is stopped', async () => {
  await expect(reader().read({ command: ['yes'] })).rejects.toMatchObject({
    message: expect.stringContaining('too much'),
  })
})

test('a command that waits is ended by an abort', async () => {
  const signal = AbortSignal.timeout(100)
  await expect(reader({}, signal).read({ command: ['sleep', '60'] })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
})
