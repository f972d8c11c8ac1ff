import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

/** A vault with a snapshot, made with the phrase in `phrase`. */
async function startVault(...sinks: string[]): Promise<Sandbox> {
  const sandbox = new Sandbox()
  mkdirSync(sandbox.path('tree'))
  writeFileSync(sandbox.path('tree/old'), 'stored before there was a recipient')
  sandbox.configure({
    sources: [{ type: 'files', name: 'tree', paths: [sandbox.path('tree')] }],
    sinks: sandbox.sinks(...sinks),
  })
  await sandbox.ok(['init', '--phrase-out', 'phrase'])
  await sandbox.ok(['run'])
  return sandbox
}

const json = (out: Buffer) => JSON.parse(out.toString()) as Record<string, unknown>
const at = (sandbox: Sandbox, name: string) => `tree${sandbox.path('tree', name)}`

test('a partner makes a phrase elsewhere, and reads with it all that was and will be stored, from each sink alone', async () => {
  using sandbox = await startVault('one', 'two')
  const made = await sandbox.ok(['--json', 'key', 'generate', '--phrase-out', 'partner'], {
    machine: 'elsewhere',
  })
  const recipient = String(json(made)['publicKey'])
  expect(statSync(sandbox.path('partner')).mode & 0o777).toBe(0o600)

  const partner = { machine: 'elsewhere' }
  const cat = (name: string, sink: string) =>
    sandbox.run(['cat', 'latest', at(sandbox, name), '--phrase-file', 'partner', '--from', sink], partner)
  expect(await cat('old', 'one')).toMatchObject({ code: 1, err: expect.stringContaining('another vault') })

  const added = await sandbox.ok(['key', 'add-recipient', recipient, '--phrase-file', 'phrase'])
  expect(added.toString()).toContain(`recipient ${recipient} can open vault`)
  // The owner tells the partner which vault it is: whoever knows the public key could grant another.
  const vaultId = String(json(await sandbox.ok(['--json', 'key', 'show']))['vaultId'])
  expect(added.toString()).toContain(`by --vault-id: ${vaultId}`)
  expect(await cat('old', 'one')).toMatchObject({
    code: 1,
    err: expect.stringContaining(`then give --vault-id ${vaultId}, or add the line "vault ${vaultId}"`),
  })
  appendFileSync(sandbox.path('partner'), `vault ${vaultId}\n`)
  writeFileSync(sandbox.path('tree/new'), 'stored since')
  await sandbox.ok(['run'])
  for (const sink of ['one', 'two']) {
    expect((await cat('old', sink)).out.toString()).toBe('stored before there was a recipient')
    expect((await cat('new', sink)).out.toString()).toBe('stored since')
  }
  expect((await sandbox.ok(['key', 'check', '--phrase-file', 'partner'], partner)).toString()).toContain(
    'was opened with it',
  )
  await sandbox.ok(['verify', '--deep', '--phrase-file', 'partner'], partner)
  expect(json(await sandbox.ok(['--json', 'key', 'show']))['recipients']).toEqual([recipient])
  // Once more: nothing changes.
  await sandbox.ok(['key', 'add-recipient', recipient, '--phrase-file', 'phrase'])
  expect(json(await sandbox.ok(['--json', 'key', 'show']))['recipients']).toEqual([recipient])
  expect(await sandbox.run(['verify'])).toMatchObject({ code: 0 })
})

test('a phrase made on the spot; with it a host joins, and recover.py restores', async () => {
  using sandbox = await startVault('one')
  await sandbox.ok(['key', 'add-recipient', '--phrase-file', 'phrase', '--phrase-out', 'partner'])
  await sandbox.ok(['init', '--phrase-file', 'partner'], { machine: 'another' })
  await sandbox.ok(['run'], { machine: 'another' })
  const recover = resolve(import.meta.dirname, '../../recover/recover.py')
  const args = [recover, sandbox.path('sinks/one'), '--phrase-file', sandbox.path('partner')]
  await execa('/usr/bin/python3', [...args, '--to', sandbox.path('recovered')])
  expect(readFileSync(sandbox.path('recovered', at(sandbox, 'old')), 'utf8')).toContain('stored before')
})

test('a sink that was away gets the grant when it is healed', async () => {
  using sandbox = await startVault('one', 'two')
  rmSync(sandbox.path('sinks/two'), { recursive: true })
  const phrases = ['--phrase-file', 'phrase', '--phrase-out', 'partner']
  const added = await sandbox.run(['--json', 'key', 'add-recipient', ...phrases])
  expect({ code: added.code, sinks: json(added.out)['sinks'] }).toEqual({
    code: 1,
    sinks: [
      { name: 'one', state: 'added' },
      { name: 'two', state: 'failed', error: expect.stringContaining('two') },
    ],
  })
  mkdirSync(sandbox.path('sinks/two'))
  await sandbox.ok(['heal', '--sink', 'two'])
  await sandbox.ok(['restore', 'latest', '--to', 'restored', '--phrase-file', 'partner', '--from', 'two'], {
    machine: 'elsewhere',
  })
})

test('mistakes are reported before anything is written', async () => {
  using sandbox = await startVault('one')
  const own = String(json(await sandbox.ok(['--json', 'key', 'show']))['publicKey'])
  const add = (...args: string[]) => sandbox.run(['key', 'add-recipient', ...args])
  const phrase = ['--phrase-file', 'phrase']
  for (const [args, message] of [
    [['12ab', ...phrase], 'is no public key'],
    [['0'.repeat(64), ...phrase], 'is no public key'],
    [[own, ...phrase], "the vault's own"],
    [['ab'.repeat(32), ...phrase, '--phrase-out', 'x'], '--phrase-out is for a phrase made here'],
    [['ab'.repeat(32)], 'needs the recovery phrase'],
    [phrase, 'has nowhere to go'],
  ] as const)
    expect(await add(...args)).toMatchObject({ code: 2, err: expect.stringContaining(message) })
  await sandbox.ok(['key', 'generate', '--phrase-out', 'stranger'])
  expect(await add('ab'.repeat(32), '--phrase-file', 'stranger')).toMatchObject({
    code: 1,
    err: expect.stringContaining('another vault'),
  })
  expect(json(await sandbox.ok(['--json', 'key', 'show']))['recipients']).toEqual([])
})

test('a vault that somebody else grants to a recipient, whose public key he knows, is not taken for the one that was meant', async () => {
  using sandbox = await startVault('one')
  await sandbox.ok(['key', 'add-recipient', '--phrase-file', 'phrase', '--phrase-out', 'partner'])
  const recipient = String(json(await sandbox.ok(['--json', 'key', 'show']))['recipients'])
  expect(readFileSync(sandbox.path('partner'), 'utf8')).toMatch(
    /^(?:[a-z]+ ){23}[a-z]+\nvault [0-9a-f]{32}\n$/,
  )

  // The provider puts a vault of its own in the place of the genuine one.
  rmSync(sandbox.path('sinks/one'), { recursive: true })
  const provider = { machine: 'provider' }
  await sandbox.ok(['init', '--phrase-out', 'his'], provider)
  await sandbox.ok(['run'], provider)
  await sandbox.ok(['key', 'add-recipient', recipient, '--phrase-file', 'his'], provider)
  const elsewhere = { machine: 'elsewhere' }
  for (const command of [
    ['restore', 'latest', '--to', 'restored'],
    ['key', 'check'],
    ['init'],
    ['snapshots'],
  ])
    expect(await sandbox.run([...command, '--phrase-file', 'partner'], elsewhere)).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /the sinks hold vault [0-9a-f]{32}, and the phrase is for vault [0-9a-f]{32}/,
      ),
    })
  // Without the line: it is asked for.
  const [words = ''] = readFileSync(sandbox.path('partner'), 'utf8').split('\n')
  writeFileSync(sandbox.path('words'), words, { mode: 0o600 })
  for (const command of [
    ['restore', 'latest', '--to', 'restored'],
    ['key', 'check'],
    ['init'],
    ['snapshots'],
  ])
    expect(await sandbox.run([...command, '--phrase-file', 'words'], elsewhere)).toMatchObject({
      code: 1,
      err: expect.stringContaining('whether that is the one that it is for is not known'),
    })
})
