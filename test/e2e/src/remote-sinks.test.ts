import { mkdirSync, writeFileSync } from 'node:fs'
import { type SshServer, startSshd } from '@pipe-backup-test/services'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { makeOddTree } from './odd-tree.ts'
import { difference, Sandbox } from './sandbox.ts'

let server: SshServer
beforeAll(async () => {
  server = await startSshd({ chroot: true })
})
afterAll(() => server[Symbol.asyncDispose]())

/** A sandbox with a tree, a local sink and one by SFTP. */
function setting(options: object = {}): { sandbox: Sandbox; tree: string; sinks: object[] } {
  const sandbox = new Sandbox()
  onTestFinished(() => sandbox[Symbol.dispose]())
  const tree = sandbox.path('tree')
  mkdirSync(tree)
  makeOddTree(tree)
  const { host, port, user, identity, hostKey } = server
  const path = `${server.makePlace().remote}/tipbot`
  const sinks = [
    ...sandbox.sinks('disk'),
    { type: 'sftp', name: 'ssh', host, port, user, identity, hostKey, path, ...options },
  ]
  sandbox.configure({ sources: [{ type: 'files', name: 'tree', paths: [tree] }], sinks })
  return { sandbox, tree, sinks }
}

test('a run into a disk and an SSH server restores from the server alone, on a machine that never saw the vault', async () => {
  const { sandbox, tree, sinks } = setting({ uploadLimit: '50MB', timeout: '20s', concurrency: 2 })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const report = JSON.parse(
    (await sandbox.ok(['run', '--json'])).toString().trim().split('\n').at(-1) ?? '',
  ) as {
    sinks: { name: string; state: string; bytesSent: number }[]
  }
  expect(report.sinks).toMatchObject([
    { name: 'disk', state: 'ok' },
    { name: 'ssh', state: 'ok' },
  ])
  const only = {
    vault: 'sandbox',
    sources: [{ type: 'files', name: 'x', paths: ['/x'] }],
    sinks: sinks.slice(1),
  }
  writeFileSync(sandbox.path('only.json'), JSON.stringify(only), { mode: 0o600 })
  const from = ['--config', sandbox.path('only.json'), '--phrase-file', 'phrase']
  await sandbox.ok(['restore', 'latest', ...from, '--to', 'restored'], { machine: 'elsewhere' })
  expect(await difference(tree, sandbox.path('restored/tree', tree))).toBe('')
})

test('a server that is not who it should be gets nothing: one clear line, the other sink goes on, exit code 3', async () => {
  const { sandbox, sinks } = setting()
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const impostor = sinks.map((sink) =>
    'hostKey' in sink ? { ...sink, hostKey: `SHA256:${'A'.repeat(43)}` } : sink,
  )
  const sources = [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }]
  sandbox.configure({ sources, sinks: impostor, copies: 1 })
  const { code, err } = await sandbox.run(['run'])
  expect({ code, reported: err.includes('sink "ssh"') && err.includes('and should be SHA256:AAAA') }).toEqual(
    {
      code: 3,
      reported: true,
    },
  )
  sandbox.configure({ sources, sinks, copies: 2 })
  const healed = JSON.parse(
    (await sandbox.ok(['run', '--json'])).toString().trim().split('\n').at(-1) ?? '',
  ) as {
    sinks: { name: string; healed: number }[]
  }
  expect(healed.sinks.find(({ name }) => name === 'ssh')?.healed).toBeGreaterThan(0)
})

test('a server that is down holds the others up for seconds alone, and the next run heals it', async () => {
  const { sandbox, sinks } = setting()
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  const down = sinks.map((sink) => ('hostKey' in sink ? { ...sink, port: 1 } : sink))
  const sources = [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }]
  sandbox.configure({ sources, sinks: down, copies: 1 })
  expect((await sandbox.run(['run'])).code).toBe(3)
  sandbox.configure({ sources, sinks, copies: 2 })
  await sandbox.ok(['run'])
  await sandbox.ok(['restore', 'latest', '--from', 'ssh', '--phrase-file', 'phrase', '--to', 'out'])
  expect(await difference(sandbox.path('tree'), sandbox.path('out/tree', sandbox.path('tree')))).toBe('')
})
