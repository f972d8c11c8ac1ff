import { createHash } from 'node:crypto'
import {
  deriveKeys,
  masterFromPhrase,
  phraseFromMaster,
  type VaultKeys,
  vaultIdOf,
} from '@pipe-backup/crypto'
import { localSink } from '@pipe-backup/sink-local'
import type { Entry } from '@pipe-backup/source'
import { findVault, listSnapshots, openGrant, openSnapshot, selectSnapshot, verify } from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { type ExpectedEntry, type ExpectedVault, expectedVaults } from './expected.ts'

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

async function digestOf(entry: Extract<Entry, { type: 'file' }>): Promise<{ size: number; sha256: string }> {
  const reader = await entry.open()
  const hash = createHash('sha256')
  const memory = Buffer.alloc(64 * 1024)
  let size = 0
  try {
    for (let got = await reader.read(memory); got > 0; got = await reader.read(memory)) {
      hash.update(memory.subarray(0, got))
      size += got
    }
    await reader.finish()
  } finally {
    await reader.close()
  }
  return { size, sha256: hash.digest('hex') }
}

/** An entry in the form of expected.json. */
async function describe(entry: Entry, source: string): Promise<ExpectedEntry> {
  const prefix = Buffer.byteLength(source) + 1
  const { mode, uid, gid, user, group, attributes } = entry
  const metadata = {
    path: latin1(entry.path).slice(prefix),
    mode,
    uid,
    gid,
    user,
    group,
    mtimeNs: String(entry.mtimeNs),
    ...(attributes && {
      attributes: Object.fromEntries(attributes.map(({ name, value }) => [latin1(name), latin1(value)])),
    }),
  }
  switch (entry.type) {
    case 'file': {
      const { type, sparse, unsteady } = entry
      return {
        ...metadata,
        type,
        ...(await digestOf(entry)),
        ...(sparse && { sparse }),
        ...(unsteady && { unsteady }),
      }
    }
    case 'symlink':
      return { ...metadata, type: entry.type, target: latin1(entry.target) }
    case 'hardlink':
      return { ...metadata, type: entry.type, target: latin1(entry.linkTo).slice(prefix) }
    case 'character-device':
    case 'block-device':
      return { ...metadata, type: entry.type, major: entry.major, minor: entry.minor }
    case 'directory':
    case 'fifo':
      return { ...metadata, type: entry.type }
  }
}

/** Reads a snapshot whole. @returns by source the entries, and what was reported on the way */
async function read(vault: ExpectedVault, keys: VaultKeys, id: string) {
  const sinks = [localSink({ name: 'vector', path: vault.sink })]
  const snapshot = selectSnapshot(await listSnapshots({ sinks, keys }), id)
  const problems: unknown[] = []
  await using reader = await openSnapshot({
    sinks,
    keys,
    snapshot,
    onProblem: (error) => problems.push(error),
  })
  const sources = new Map<string, ExpectedEntry[]>(snapshot.sources.map(({ name }) => [name, []]))
  for await (const entry of reader.entries()) {
    const source = Buffer.from(entry.path).toString().split('/')[0] ?? ''
    sources.get(source)?.push(await describe(entry, source))
  }
  return { snapshot, sources, problems }
}

async function keysOf({ phrase }: ExpectedVault): Promise<VaultKeys> {
  return deriveKeys(masterFromPhrase(phrase))
}

const whole = expectedVaults().filter(({ refused }) => refused === undefined)

test.for(whole.filter(({ name }) => name !== 'crafted-hostile'))(
  '$name is read to the last byte: $about',
  async (vault) => {
    const keys = await keysOf(vault)
    for (const expected of vault.snapshots.filter(({ flaw }) => flaw === undefined)) {
      const { snapshot, sources } = await read(vault, keys, expected.id)
      expect({
        id: snapshot.id,
        time: snapshot.time.toISOString(),
        host: snapshot.host,
        sources: snapshot.sources.map(({ name, state }) => ({ name, state, entries: sources.get(name) })),
      }).toEqual(expected)
    }
  },
)

test('the extra recipient of a run opens it with its own pair, and no other run', async () => {
  const vaults = whole.filter(({ recipient }) => recipient)
  expect(vaults.map(({ name }) => name)).toEqual(['engine-hosts'])
  for (const vault of vaults) {
    const pair = {
      publicKey: Uint8Array.from(Buffer.from(vault.recipient?.publicKey ?? '', 'hex')),
      secretKey: Uint8Array.from(Buffer.from(vault.recipient?.secretKey ?? '', 'hex')),
    }
    const keys = { ...(await keysOf(vault)), ...pair }
    for (const { id, host, sources } of vault.snapshots) {
      const reading = read(vault, keys, id)
      if (vault.recipient?.opens.includes(host))
        expect([...(await reading).sources.values()]).toEqual(sources?.map(({ entries }) => entries))
      else await expect(reading).rejects.toMatchObject({ code: 'missing' })
    }
  }
})

test('what was granted to a partner opens with the phrase of that partner, and gives the phrase of the vault', async () => {
  const vaults = whole.filter(({ partner }) => partner)
  expect(vaults.map(({ name }) => name)).toEqual(['engine-grant'])
  for (const { sink, phrase, partner = '' } of vaults) {
    const master = await openGrant({
      sinks: [localSink({ name: 'vector', path: sink })],
      pair: await deriveKeys(masterFromPhrase(partner)),
      vaultId: vaultIdOf((await deriveKeys(masterFromPhrase(phrase))).publicKey),
      onProblem: (error) => expect.fail(error.message),
    })
    expect(phraseFromMaster(master ?? Uint8Array.of())).toBe(phrase)
  }
})

const flawed = whole.flatMap((vault) =>
  vault.snapshots.flatMap(({ id, flaw }) => (flaw === undefined ? [] : [{ vault, id, flaw }])),
)

test.for(flawed)('$flaw is refused', async ({ vault, id }) => {
  const reading = read(vault, await keysOf(vault), id)
  await expect(reading).rejects.toMatchObject({
    name: 'VaultError',
    code: expect.stringMatching(/^(?:corrupt|missing)$/),
  })
})

test('what a thief added is named, and passed over', async () => {
  const vault = whole.find(({ name }) => name === 'crafted-forged')
  if (!vault) throw new Error('no such vault')
  const keys = await keysOf(vault)
  const sinks = [localSink({ name: 'vector', path: vault.sink })]
  const problems: unknown[] = []
  const found = await listSnapshots({ sinks, keys, onProblem: (error) => problems.push(error) })
  expect(found.map(({ id }) => id)).toEqual(vault.snapshots.map(({ id }) => id))
  expect(problems).toEqual(
    Array(4).fill(expect.objectContaining({ code: expect.stringMatching(/^(?:forged|corrupt)$/) })),
  )
  const report = await verify({ vaultId: vaultIdOf(keys.publicKey), keys, sinks })
  const bad = report.sinks[0]?.problems.map(({ key }) => key.split('/')[0])
  expect(bad?.filter((kind) => kind === 'trash')).toHaveLength(4)
  expect(bad?.filter((kind) => kind === 'index')).toHaveLength(3)
  expect((await read(vault, keys, vault.snapshots[0]?.id ?? '')).problems).toEqual(
    Array(3).fill(expect.objectContaining({ code: 'forged' })),
  )
})

test('what a revoked host has added since is named, and passed over', async () => {
  const vault = whole.find(({ name }) => name === 'crafted-revoked')
  if (!vault) throw new Error('no such vault')
  const keys = await keysOf(vault)
  const sinks = [localSink({ name: 'vector', path: vault.sink })]
  const problems: unknown[] = []
  await listSnapshots({ sinks, keys, onProblem: (error) => problems.push(error) })
  expect(problems).toEqual([expect.objectContaining({ code: 'revoked' })])
  expect(keys.revoked.size).toBe(1)
  const report = await verify({ vaultId: vaultIdOf(keys.publicKey), keys, sinks })
  const bad = report.sinks[0]?.problems.map(({ key }) => key.replace(/-.*/, ''))
  expect(bad?.sort()).toEqual(['grants/revoked', 'grants/revoked', 'snapshots/20261123t130000z'])
})

test('a vault of a version to come is refused', async () => {
  const vault = expectedVaults().find(({ refused }) => refused !== undefined)
  const sinks = [localSink({ name: 'vector', path: vault?.sink ?? '' })]
  await expect(findVault({ sinks })).rejects.toMatchObject({
    code: 'unsupported-version',
    message: expect.stringContaining(vault?.refused ?? 'nothing'),
  })
})

test('snapshots, indexes and packs of a version to come are reported, and what is of today is read', async () => {
  const vault = whole.find(({ name }) => name === 'crafted-newer')
  if (!vault) throw new Error('no such vault')
  const keys = await keysOf(vault)
  const sinks = [localSink({ name: 'vector', path: vault.sink })]
  const problems: unknown[] = []
  const onProblem = (error: Error) => problems.push(error)
  const found = await listSnapshots({ sinks, keys, onProblem })
  expect(found.map(({ id }) => id)).toEqual(vault.snapshots.map(({ id }) => id))
  expect(problems).toEqual(Array(2).fill(expect.objectContaining({ code: 'unsupported-version' })))
  expect((await read(vault, keys, 'latest')).problems).toEqual([
    expect.objectContaining({ code: 'unsupported-version' }),
  ])
})

test.for(whole.filter(({ marks }) => marks !== undefined))('the marks of $name are joined', async (vault) => {
  const sinks = [localSink({ name: 'vector', path: vault.sink })]
  const found = await listSnapshots({ sinks, keys: await keysOf(vault), withMarks: true })
  expect(found.map(({ marks }) => marks)).toEqual(
    vault.marks?.map((marks) => ({ ...marks, isUnclear: false })),
  )
})
