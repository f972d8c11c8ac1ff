import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sink } from '@pipe-backup/sink'
import { type RsyncDaemon, type SshServer, startRsyncd, startSshd } from '@pipe-backup-test/services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rsyncSink } from './rsync-sink.ts'
import type { RsyncSinkOptions } from './rsync-sink-options.ts'

const TEST_MS = 240_000

const restricted = (forcedCommand: (directory: string) => string): Promise<SshServer> =>
  startSshd({ forcedCommand })

/** A sink on an empty place of a server. */
function open(server: SshServer, more: Partial<RsyncSinkOptions> = {}, path?: string): Sink {
  const { host, port, user, identity, hostKey } = server
  const target = `${user}@${host}:${path ?? server.makePlace().remote}`
  return rsyncSink({ name: 'rs', target, port, identity, hostKey, ...more })
}

async function keysOf(sink: Sink): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of sink.list('')) keys.push(key)
  return keys.sort()
}

const bytes = (text: string) => Buffer.from(text)

describe('a key that may only add: rrsync -wo -no-del -no-overwrite', { timeout: TEST_MS }, () => {
  let server: SshServer
  beforeAll(async () => {
    server = await restricted((directory) => `rrsync -wo -no-del -no-overwrite ${directory}`)
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('what is put is there; the same again succeeds; another object does not replace it', async () => {
    const { local, remote } = server.makePlace()
    await using sink = open(server, { appendOnly: true }, remote)
    await sink.put('packs/ab/one', bytes('first'))
    await sink.put('packs/ab/one', bytes('first'))
    await expect(sink.put('packs/ab/one', bytes('other'))).rejects.toMatchObject({ code: 'forbidden' })
    await expect(sink.put('packs/ab/one', bytes('first'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'exists',
    })
    await Promise.all(['two', 'three', 'four'].map((key) => sink.put(`packs/ab/${key}`, bytes(key))))
    expect(readdirSync(join(local, 'packs/ab')).sort()).toEqual(['four', 'one', 'three', 'two'])
    expect(sink.appendOnly).toBe(true)
  })

  test('whatever reads or deletes is forbidden, in one clear line', async () => {
    await using sink = open(server)
    await sink.put('object', bytes('first'))
    const forbidden = { name: 'SinkError', code: 'forbidden', sink: 'rs' }
    await expect(sink.get('object')).rejects.toMatchObject(forbidden)
    await expect(sink.head('object')).rejects.toMatchObject(forbidden)
    await expect(keysOf(sink)).rejects.toMatchObject(forbidden)
    await expect(sink.delete('object')).rejects.toMatchObject({ ...forbidden, key: 'object' })
    const failed = await sink.deleteMany(['object', 'other'])
    expect([...failed].map(([key, { code }]) => [key, code])).toEqual([
      ['object', 'forbidden'],
      ['other', 'forbidden'],
    ])
    await expect(sink.get('object')).rejects.toThrow(
      'sink "rs": object: the server allows one direction only (/usr/bin/rrsync error: reading from write-only server is not allowed)',
    )
  })

  test('a directory that is not there is reported, without being allowed to look', async () => {
    await using sink = open(server, {}, `${server.makePlace().remote}/unmounted`)
    await expect(sink.put('object', bytes('x'))).rejects.toMatchObject({ code: 'unreachable' })
    await expect(sink.put('object', bytes('x'))).rejects.toThrow('no such directory')
  })
})

test('rrsync -no-del deletes nothing, and lets everything be replaced; with -no-overwrite neither', {
  timeout: TEST_MS,
}, async () => {
  await using half = await restricted((directory) => `rrsync -no-del ${directory}`)
  await using replaceable = open(half, { appendOnly: true })
  await replaceable.put('packs/one', bytes('first'))
  await expect(replaceable.delete('packs/one')).rejects.toMatchObject({ code: 'forbidden' })
  await replaceable.put('packs/one', bytes('other'))
  expect(Buffer.from(await replaceable.get('packs/one')).toString()).toBe('other')

  await using full = await restricted((directory) => `rrsync -no-del -no-overwrite ${directory}`)
  await using kept = open(full, { appendOnly: true })
  await kept.put('packs/one', bytes('first'))
  await expect(kept.delete('packs/one')).rejects.toMatchObject({ code: 'forbidden' })
  await expect(kept.put('packs/one', bytes('other'))).rejects.toMatchObject({ code: 'forbidden' })
  expect(Buffer.from(await kept.get('packs/one')).toString()).toBe('first')
})

test('a key that may only read lists and gets, and puts nothing', { timeout: TEST_MS }, async () => {
  await using server = await restricted((directory) => `rrsync -ro ${directory}`)
  const { local, remote } = server.makePlace()
  mkdirSync(join(local, 'packs'))
  writeFileSync(join(local, 'packs/one'), 'first')
  await using sink = open(server, {}, remote)
  expect(await keysOf(sink)).toEqual(['packs/one'])
  expect(Buffer.from(await sink.get('packs/one')).toString()).toBe('first')
  await expect(sink.put('two', bytes('x'))).rejects.toMatchObject({ code: 'forbidden' })
})

test('a server that runs full says so', { timeout: TEST_MS }, async () => {
  await using server = await restricted(
    (directory) => `cd ${directory}; trap '' XFSZ; ulimit -f 64; $SSH_ORIGINAL_COMMAND`,
  )
  await using sink = open(server)
  const putting = sink.put('packs/large', Buffer.alloc(1024 * 1024, 'x'))
  await expect(putting).rejects.toMatchObject({ code: 'full', key: 'packs/large' })
  expect(await keysOf(sink)).toEqual([])
})

test('a server whose rsync knows no --fsync is sent to without', { timeout: TEST_MS }, async () => {
  // As rsync before 3.2.4 ends.
  const old = `case "$SSH_ORIGINAL_COMMAND" in *--fsync*) echo 'rsync: --fsync: unknown option' >&2; exit 1;; esac`
  await using server = await restricted((directory) => `cd ${directory}; ${old}; $SSH_ORIGINAL_COMMAND`)
  await using sink = open(server)
  await sink.put('object', bytes('first'))
  expect(Buffer.from(await sink.get('object')).toString()).toBe('first')
})

test('a login that prints something is distinguished from a server without rsync', {
  timeout: TEST_MS,
}, async () => {
  await using welcoming = await restricted(() => 'echo Welcome to this server')
  await using chatty = open(welcoming)
  await expect(chatty.put('object', bytes('x'))).rejects.toMatchObject({ code: 'protocol' })
  await expect(chatty.put('object', bytes('x'))).rejects.toThrow('does not speak rsync')
  await using without = await restricted(() => 'PATH=/nowhere; rsync --server')
  await using bare = open(without)
  await expect(bare.put('object', bytes('x'))).rejects.toThrow('the server has no rsync')
})

test('create makes the directory and those above it, over ssh, behind rrsync and in a module', {
  timeout: TEST_MS,
}, async () => {
  await using plain = await startSshd()
  await using server = await restricted((directory) => `rrsync ${directory}`)
  for (const one of [plain, server]) {
    const { remote } = one.makePlace()
    await using sink = open(one, { create: true }, `${remote}/a/b c`)
    expect(await keysOf(sink)).toEqual([])
    await sink.put('packs/object', bytes('bytes'))
    expect((await sink.head('packs/object'))?.sizeBytes).toBe(5)
  }
})

describe('a daemon', { timeout: TEST_MS }, () => {
  let daemon: RsyncDaemon
  beforeAll(async () => {
    daemon = await startRsyncd()
  })
  afterAll(() => daemon[Symbol.asyncDispose]())
  const openModule = (
    { name }: { readonly name: string },
    more: Partial<RsyncSinkOptions> = {},
    path = '',
  ): Sink => {
    const { host, port, user, password } = daemon
    return rsyncSink({
      name: 'rs',
      target: `rsync://${user}@${host}:${port}/${name}${path}`,
      password,
      ...more,
    })
  }

  test('that refuses --fsync and --delete stores, and forbids to delete', async () => {
    await using sink = openModule(daemon.makeModule('refuse options = fsync delete'))
    await sink.put('packs/object', bytes('first'))
    await expect(sink.delete('packs/object')).rejects.toMatchObject({
      code: 'forbidden',
      key: 'packs/object',
    })
    expect(await keysOf(sink)).toEqual(['packs/object'])
  })

  test('with a module that is write only, read only, or not for this address', async () => {
    await using writeOnly = openModule(daemon.makeModule('write only = yes'))
    await writeOnly.put('object', bytes('first'))
    await expect(writeOnly.get('object')).rejects.toMatchObject({ code: 'forbidden' })
    await using readOnly = openModule(daemon.makeModule('read only = yes'))
    await expect(readOnly.put('object', bytes('first'))).rejects.toMatchObject({ code: 'forbidden' })
    expect(await keysOf(readOnly)).toEqual([])
    await using denied = openModule(daemon.makeModule('hosts allow = 192.0.2.1'))
    await expect(denied.put('object', bytes('first'))).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('that takes one connection at a time gets one at a time', async () => {
    await using sink = openModule(
      daemon.makeModule('max connections = 1', `lock file = ${daemon.config}.lock`),
    )
    await sink.put('a', bytes('first'))
    const gets = await Promise.all([1, 2, 3, 4].map(() => sink.get('a')))
    expect(gets.map((one) => Buffer.from(one).toString())).toEqual(['first', 'first', 'first', 'first'])
  })

  test('with a chroot, and a directory that is made in its module', async () => {
    const module = daemon.makeModule(`use chroot = ${process.getuid?.() === 0 ? 'yes' : 'no'}`)
    await using sink = openModule(module, { create: true }, '/a/b')
    await sink.put('packs/object', bytes('first'))
    expect(Buffer.from(await sink.get('packs/object')).toString()).toBe('first')
    expect(await keysOf(sink)).toEqual(['packs/object'])
    expect(readdirSync(join(module.local, 'a/b/packs'))).toEqual(['object'])
  })

  test('that ssh starts, as the forced command of a key', async () => {
    const { name } = daemon.makeModule('auth users =')
    await using server = await restricted(() => `rsync --server --daemon --config=${daemon.config} .`)
    const { host, port, user, identity, hostKey } = server
    await using sink = rsyncSink({
      name: 'rs',
      target: `${user}@${host}::${name}/`,
      port,
      identity,
      hostKey,
    })
    await sink.put('packs/object', bytes('first'))
    expect(await keysOf(sink)).toEqual(['packs/object'])
  })

  test('lists objects alone: no hidden, temporary, linked or foreign names', async () => {
    const module = daemon.makeModule()
    mkdirSync(join(module.local, '.snapshots/packs'), { recursive: true })
    writeFileSync(join(module.local, '.snapshots/packs/old'), 'x')
    writeFileSync(join(module.local, '.object.x1Y2z3'), 'x')
    writeFileSync(join(module.local, 'Not A Key'), 'x')
    writeFileSync(join(module.local, 'object'), 'x')
    symlinkSync('object', join(module.local, 'link'))
    await using sink = openModule(module)
    expect(await keysOf(sink)).toEqual(['object'])
  })

  test('a delete takes what it names, and nothing beside it', async () => {
    const module = daemon.makeModule()
    await using sink = openModule(module)
    const keys = ['a', 'ab', 'a.b', 'packs/a', 'packs/ab', 'packs/x/a', 'packs/y/a']
    await Promise.all(keys.map((key) => sink.put(key, bytes(key))))
    writeFileSync(join(module.local, 'packs/A Stranger'), 'x')
    expect(await sink.deleteMany(['a', 'packs/a', 'packs/x/a', 'packs/none', 'packs'])).toEqual(new Map())
    expect(await keysOf(sink)).toEqual(['a.b', 'ab', 'packs/ab', 'packs/y/a'])
    expect(readdirSync(join(module.local, 'packs')).sort()).toEqual(['A Stranger', 'ab', 'y'])
  })
})
