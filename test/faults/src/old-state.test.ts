import { cpSync, readdirSync, rmSync } from 'node:fs'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { deriveKeys } from '@pipe-backup/crypto'
import { memorySink } from '@pipe-backup/sink/testing'
import {
  backup,
  createVaultHost,
  heal,
  initVault,
  listSnapshots,
  prune,
  verify,
  writeStateFile,
} from '@pipe-backup/vault'
import { expect, test } from 'vitest'
import { keys, SmallVault } from './small-vault.ts'

async function backUps(vault: SmallVault, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    vault.live()
    expect(await vault.backUp()).toMatchObject({ exitCode: 0, copies: 2 })
  }
}

/** Keeps the newest snapshots, and deletes the packs of the others. */
async function pruneTo(vault: SmallVault, count: number): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const choose = (all: readonly { readonly id: string }[]) =>
      new Set(all.slice(0, -count).map(({ id }) => id))
    const report = await prune({
      ...vault.call,
      sinks: vault.stores,
      compact: true,
      choose,
      onProblem: () => undefined,
    })
    expect(report.exitCode).toBe(0)
    for (const id of report.removed) vault.expected.delete(id)
    vault.passDays(2)
  }
}

/** Everything restores, and the sinks and the program agree that all is well. */
async function expectWell(vault: SmallVault): Promise<void> {
  const call = { ...vault.call, sinks: vault.stores, onProblem: () => undefined }
  expect(await heal({ ...call, isNew: () => false })).toMatchObject({ exitCode: 0 })
  expect(await verify({ ...call, deepKeys: keys })).toMatchObject({ exitCode: 0 })
  for (const store of vault.stores) expect(await vault.flawsOf(store)).toEqual([])
  expect(await listSnapshots({ sinks: vault.stores, keys })).toHaveLength(vault.expected.size)
}

test.for([false, true])(
  'a host that is restored from an old disk image: its state of ten backups ago (pruned since: %s)',
  async (isPruned) => {
    using vault = await SmallVault.create(2)
    vault.everyMs = new Map([['steady', 3_600_000 * 1000]])
    await using image = await mkdtempDisposable(join(tmpdir(), 'pipe-backup-image-'))
    await backUps(vault, 3)
    cpSync(vault.call.stateDirectory, image.path, { recursive: true })
    await backUps(vault, 10)
    if (isPruned) await pruneTo(vault, 2)
    rmSync(vault.call.stateDirectory, { recursive: true })
    cpSync(image.path, vault.call.stateDirectory, { recursive: true })
    vault.live()
    const said: string[] = []
    const first = await vault.backUp(vault.stores, undefined, (line) => said.push(line))
    expect(first).toMatchObject({ copies: 2, exitCode: isPruned ? 3 : 0 })
    const line = expect.stringMatching(
      /was stored by this host .*, or this host's state is from before a prune/,
    )
    expect(first.sinks.map(({ error }) => error)).toEqual([undefined, undefined])
    expect(said).toEqual(isPruned ? [line, line] : [])
    await expectWell(vault)
    await backUps(vault, 2)
    await expectWell(vault)
  },
)

/** Every file of a state directory. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

const OTHER_CONTENT: readonly (readonly [string, unknown])[] = [
  ['an object of a later version', { version: 99, vault: 'x', sinks: 7, newest: [], sources: {} }],
  ['a list', [1, null, { head: 7 }]],
  ['nothing', null],
]

const NEWER: readonly (readonly [string, (vault: SmallVault) => Promise<void>])[] = [
  [
    'files.db of a later schema',
    async ({ call }) => {
      using db = new DatabaseSync(join(call.stateDirectory, 'files.db'))
      db.prepare("UPDATE meta SET value = ? WHERE name = 'owner'").run(`${call.vaultId}/99`)
      db.exec('DROP TABLE files; CREATE TABLE files (path TEXT PRIMARY KEY, blob BLOB)')
    },
  ],
  [
    'files.db of other tables under the same version',
    async ({ call }) => {
      using db = new DatabaseSync(join(call.stateDirectory, 'files.db'))
      db.exec('DROP TABLE files; CREATE TABLE files (path TEXT PRIMARY KEY, blob BLOB)')
      db.exec('DROP TABLE dead; CREATE TABLE dead (path TEXT)')
    },
  ],
  ...OTHER_CONTENT.map(
    ([what, content]) =>
      [
        `each file holds ${what}`,
        async ({ call }: SmallVault) => {
          for (const file of filesOf(call.stateDirectory))
            if (file.endsWith('.json')) await writeStateFile(file, content)
        },
      ] as const,
  ),
]

test.for(NEWER)('state of a newer program is put aside: %s', async ([, change]) => {
  using vault = await SmallVault.create(2)
  vault.everyMs = new Map([['steady', 3_600_000 * 1000]])
  await backUps(vault, 3)
  expect(filesOf(vault.call.stateDirectory).length).toBeGreaterThan(3)
  await change(vault)
  await backUps(vault, 2)
  await expectWell(vault)
})

test('state of another vault is not believed, with what it knows to be damaged', async () => {
  using vault = await SmallVault.create(2)
  vault.everyMs = new Map([['steady', 3_600_000 * 1000]])
  await backUps(vault, 3)
  const otherKeys = await deriveKeys(new Uint8Array(32).fill(8))
  const host = createVaultHost(otherKeys)
  const sinks = vault.stores.map(({ name }) => memorySink(name))
  await initVault({ sinks, publicKey: otherKeys.publicKey })
  const { stateDirectory } = vault.call
  rmSync(stateDirectory, { recursive: true })
  const other = { host, hostName: 'other', sinks, stateDirectory }
  const run = { program: 'test', sources: vault.sources(), copies: 2, everyMs: vault.everyMs }
  expect(await backup({ ...other, ...run })).toMatchObject({ exitCode: 0 })
  for (const [key, object] of sinks[0]?.objects ?? [])
    sinks[0]?.objects.set(key, { ...object, bytes: object.bytes.subarray(1) })
  const found = await verify({ ...other, vaultId: host.vaultId, keys: otherKeys, onProblem: () => undefined })
  expect(found.exitCode).toBe(1)
  expect(filesOf(stateDirectory).map((file) => basename(file))).toEqual(
    expect.arrayContaining(['carried.json', 'damage.json', 'files.db', 'own-snapshots.json']),
  )
  await backUps(vault, 2)
  await expectWell(vault)
})
