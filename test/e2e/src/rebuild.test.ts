import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { startMariadb, startSshd } from '@pipe-backup-test/services'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { MAIN, Sandbox } from './sandbox.ts'

/** The commands of a section of docs/operations.md, as they stand. */
function commandsOf(heading: string): string {
  const text = readFileSync(resolve(import.meta.dirname, '../../../docs/operations.md'), 'utf8')
  const section = text.split(/^## /m).find((part) => part.startsWith(heading))
  const commands = /```sh\n([^]*?)```/.exec(section ?? '')?.[1]
  if (!commands) throw new Error(`docs/operations.md has no commands under "${heading}"`)
  return commands
}

test('a server is rebuilt from nothing but the phrase and one sink, by the steps of the documentation', async () => {
  using sandbox = new Sandbox()
  await using ssh = await startSshd()
  await using old = await startMariadb()
  await using rebuilt = await startMariadb()
  old.query('CREATE DATABASE tipbot')
  old.query(
    'CREATE TABLE funds (id INT PRIMARY KEY, amount BIGINT); INSERT INTO funds SELECT seq, seq * 7 FROM seq_1_to_3000',
    'tipbot',
  )
  const { host, port, user, identity, hostKey } = ssh
  const sink = {
    type: 'sftp',
    name: 'ssh',
    host,
    port,
    user,
    identity,
    hostKey,
    path: `${ssh.makePlace().remote}/tipbot`,
  }

  // The server as it was.
  const opt = sandbox.path('opt/bot')
  mkdirSync(opt, { recursive: true })
  mkdirSync(sandbox.path('wallet'))
  writeFileSync(sandbox.path('wallet/wallet.json'), '{"seed":"of great worth"}', { mode: 0o600 })
  const config = {
    vault: 'tipbot',
    sources: [
      { type: 'files', name: 'wallet', paths: [sandbox.path('wallet')] },
      { type: 'files', name: 'config', paths: [opt] },
      { type: 'mysql', name: 'database', databases: ['tipbot'], user: 'root', socket: old.socket },
    ],
    sinks: [...sandbox.sinks('disk'), sink],
  }
  writeFileSync(`${opt}/pipe-backup.yaml`, JSON.stringify(config), { mode: 0o600 })
  await sandbox.ok(['--config', `${opt}/pipe-backup.yaml`, 'init', '--phrase-out', 'phrase.txt'])
  await sandbox.ok(['--config', `${opt}/pipe-backup.yaml`, 'run'])

  // Another machine. Only names that a test can't have are others than in the documentation.
  const machine = sandbox.path('machine')
  mkdirSync(machine)
  copyFileSync(sandbox.path('phrase.txt'), `${machine}/phrase.txt`)
  copyFileSync(identity, `${machine}/id_ed25519`)
  chmodSync(`${machine}/id_ed25519`, 0o600)
  const commands = commandsOf('Rebuild a server')
    .replace('host: backup.example.com, user: tipbot', `host: ${host}, port: ${port}, user: ${user}`)
    .replace('SHA256:…', hostKey)
    .replace('path: tipbot', `path: ${sink.path}`)
    .replace('restored/config/opt/bot/', `restored/config${opt}/`)
    .replaceAll('mariadb ', `mariadb --no-defaults --user=root --socket=${rebuilt.socket} `)
  writeFileSync(
    `${machine}/rebuild.sh`,
    `set -eu\npipe-backup() { '${process.execPath}' '${MAIN}' "$@"; }\n${commands}`,
  )
  const ran = await execa('bash', ['-o', 'pipefail', 'rebuild.sh'], {
    cwd: machine,
    env: sandbox.environment('elsewhere'),
    reject: false,
    all: true,
  })
  expect({ code: ran.exitCode, said: ran.exitCode === 0 ? '' : ran.all }).toEqual({ code: 0, said: '' })

  expect(readFileSync(`${machine}/restored/wallet${sandbox.path('wallet/wallet.json')}`, 'utf8')).toContain(
    'of great worth',
  )
  const sum = 'SELECT COUNT(*), SUM(amount) FROM funds'
  expect(rebuilt.query(sum, 'tipbot')).toBe(old.query(sum, 'tipbot'))
  const listed = await sandbox.ok([
    '--config',
    `${machine}/rescue.yaml`,
    'snapshots',
    '--json',
    '--phrase-file',
    'phrase.txt',
  ])
  expect(listed.toString().trim().split('\n')).toHaveLength(2)
})
