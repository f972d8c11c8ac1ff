import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../config/load-config.ts'
import { type Machine, thisMachine } from '../machine.ts'
import { endsWithLogin, unitTexts } from './systemd.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'units '))
})
afterEach(() => rmSync(directory, { recursive: true }))

const machineOf = (uid: number): Machine => ({ ...thisMachine(), env: {}, home: directory, uid })

async function serviceOf(uid: number, more: object = {}): Promise<string> {
  const file = join(directory, 'pipe-backup.json')
  const source = { type: 'files', name: 'tree', paths: ['tree'] }
  const sink = { type: 'local', name: 'disk', path: 'a disk for 100% $HOME' }
  writeFileSync(file, JSON.stringify({ vault: 'v', sources: [source], sinks: [sink], ...more }), {
    mode: 0o600,
  })
  const machine = machineOf(uid)
  const config = await loadConfig(file, machine)
  return unitTexts(
    machine,
    config,
    '0 * * * *',
    ['/usr/bin/env', '100% of $HOME'],
    ['PATH=/usr/bin', 'HOME=/a home'],
  ).service
}

/** All that systemd has to say of it. */
function verify(service: string): string {
  const file = join(directory, 'pipe-backup-v.service')
  writeFileSync(file, service)
  return execFileSync('sh', ['-c', 'systemd-analyze verify --man=no "$0" 2>&1; true', file], {
    encoding: 'utf8',
  })
}

test("what is the system's is fenced in, but for its state and its disks, whatever they are called", async () => {
  const service = await serviceOf(0)
  expect(service).toContain('ProtectSystem=strict\nProtectHome=read-only\n')
  expect(service).toContain(`ReadWritePaths=-"${directory}/a disk for 100%% $HOME"\n`)
  expect(service).toContain('\nEnvironment=PATH=/usr/bin\nEnvironment="HOME=/a home"\n')
  expect(service).toContain('ExecStart=/usr/bin/env "100%% of $$HOME"\n')
  expect(
    verify(service)
      .split('\n')
      .filter((line) => line.includes('pipe-backup')),
  ).toEqual([])
})

test('the directory of the metrics file can be written to, for the file is replaced', async () => {
  const service = await serviceOf(0, { metrics: { file: '/var/lib/node exporter/shop.prom' } })
  expect(service).toContain('\nReadWritePaths=-"/var/lib/node exporter"\n')
})

test("a user's unit asks for nothing that would show it other people's files as nobody's", async () => {
  const service = await serviceOf(1000)
  // systemd.exec(5): these imply PrivateUsers= in a user's manager.
  expect(service).not.toMatch(/^(Protect|Private|ReadWritePaths|ReadOnlyPaths|CapabilityBoundingSet)/m)
  expect(service).toContain('NoNewPrivileges=yes')
})

test.for<[string, object]>([
  ['a hook', { before: ['sudo', 'prepare'] }],
  ['a source', { sources: [{ type: 'command', name: 'dump', run: ['sudo', 'dump'], path: 'dump' }] }],
  ['a notification', { notify: [{ type: 'command', run: ['tell'] }] }],
  ['a secret', { notify: [{ type: 'webhook', url: { command: ['pass', 'show', 'hook'] } }] }],
])('%s that is a program of somebody else may write where it must, and become root', async ([, more]) => {
  expect(await serviceOf(0, more)).not.toMatch(
    /^(NoNewPrivileges|RestrictSUIDSGID|ProtectSystem|ProtectHome)/m,
  )
  // Without the right to set filters all of them imply NoNewPrivileges=.
  expect(await serviceOf(1000, more)).not.toMatch(/^(NoNewPrivileges|Restrict|Lock|Protect)/m)
})

test("a user's timer ends with the login of a user who does not linger", () => {
  writeFileSync(join(directory, 'bot'), '')
  expect([
    endsWithLogin(machineOf(1000), 'bot', directory),
    endsWithLogin(machineOf(1000), 'eve', directory),
    endsWithLogin(machineOf(0), 'root', directory),
  ]).toEqual([false, true, false])
})
