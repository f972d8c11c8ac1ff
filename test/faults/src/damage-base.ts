import { deriveKeys } from '@pipe-backup/crypto'
import { type MemorySink, memorySink } from '@pipe-backup/sink/testing'
import {
  addGrant,
  backup,
  createVaultHost,
  initVault,
  listSnapshots,
  markSnapshot,
  prune,
} from '@pipe-backup/vault'
import { sealedObject } from './forge.ts'
import { SmallVault } from './small-vault.ts'

/** What damage can be done to. */
export const KINDS = [
  'vault.json',
  'data pack',
  'pack of nodes',
  'index',
  'snapshot',
  'mark',
  'trash',
  'grant',
  'session',
] as const
export type Kind = (typeof KINDS)[number]

/** A vault on three sinks with two snapshots, which a compaction rewrote, and what there is beside it. */
export interface DamageBase {
  readonly vault: SmallVault
  /** The one that is damaged, by the sink's name: each sink has trash of its own. */
  readonly keys: Readonly<Record<string, Readonly<Record<Kind, string>>>>
  /** The id of the snapshot that is damaged. */
  readonly newest: string
  /** Another valid one. */
  readonly others: Readonly<Record<Kind, Uint8Array | undefined>>
  /** Objects as they were before they were rewritten, by key. */
  readonly older: ReadonlyMap<string, Uint8Array>
  /** One of another vault, made of the same files. */
  readonly foreign: Readonly<Record<Kind, Uint8Array>>
}

/** Their own phrases have been granted the vault. */
export const recipients = await Promise.all([21, 22].map((seed) => deriveKeys(new Uint8Array(32).fill(seed))))
/** The phrase of another vault, that certifies nobody in this one. */
export const strangerKeys = await deriveKeys(new Uint8Array(32).fill(99))
export const MASTER: Uint8Array = new Uint8Array(32).fill(7)
const SESSIONS = ['sessions/00000000000000aa', 'sessions/00000000000000ab'] as const

export async function damageBase(): Promise<DamageBase> {
  const vault = await SmallVault.create(3)
  const ids: string[] = []
  const older = new Map<string, Uint8Array>()
  for (let i = 0; i < 4; i++) {
    vault.live()
    ids.push((await vault.backUp()).snapshot ?? '')
  }
  for (const [key, { bytes }] of vault.store('a').objects) older.set(key, bytes)
  for (const gone of ids.slice(0, 2)) {
    vault.live()
    await prune({ ...vault.call, sinks: vault.stores, choose: () => new Set([gone]), compact: true })
    vault.expected.delete(gone)
    vault.files.delete(gone)
  }
  for (const { publicKey } of recipients)
    await addGrant({
      sinks: vault.stores,
      vaultId: vault.call.vaultId,
      master: MASTER,
      recipient: publicKey,
    })
  for (const snapshot of await listSnapshots({ sinks: vault.stores, keys: vault.call.keys }))
    await markSnapshot({
      host: vault.call.host,
      sinks: vault.stores,
      snapshot,
      change: { pinned: true, addTags: ['kept'] },
    })
  for (const sink of vault.stores) putSessions(sink, vault.call.host, vault.call.keys, vault.call.now())
  const chosen = await Promise.all(vault.stores.map((sink) => chosenOf(vault, sink)))
  return {
    vault,
    older,
    foreign: await foreignObjects(vault),
    keys: Object.fromEntries(vault.stores.map(({ name }, i) => [name, keysOf(chosen[i], 0)])),
    newest: ids.at(-1) ?? '',
    others: objectsOf(vault.store('a'), keysOf(chosen[0], 1)),
  }
}

/** A backup was killed, and another one: they are two days old. */
function putSessions(
  sink: MemorySink,
  host: SmallVault['call']['host'],
  keys: SmallVault['call']['keys'],
  now: Date,
) {
  const storedAt = new Date(now.getTime() - 2 * 86_400_000)
  const record = {
    version: 1,
    host: 'server',
    hostId: host.hostId,
    started: storedAt.toISOString(),
    kind: 'backup',
  }
  for (const key of SESSIONS)
    sink.objects.set(key, {
      bytes: sealedObject(keys, host.signer, key, Buffer.from(JSON.stringify(record))),
      storedAt,
    })
}

type Chosen = Readonly<Record<Kind, readonly string[]>>

/** The newest of each kind, and the one before it. */
async function chosenOf(vault: SmallVault, sink: MemorySink): Promise<Chosen> {
  const bytesOf = (key: string) => sink.objects.get(key)?.bytes.length ?? 0
  const newest = (await listSnapshots({ sinks: [sink], keys: vault.call.keys })).at(-1)
  // Of the packs that are written at once the one with the nodes is the smaller one.
  const packs = (newest?.head.packs ?? [])
    .map(([name]) => `packs/${name.slice(0, 2)}/${name}`)
    .sort((a, b) => bytesOf(b) - bytesOf(a))
  const listed = (prefix: string) => [...sink.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  return {
    'vault.json': ['vault.json'],
    'data pack': packs,
    'pack of nodes': packs.toReversed(),
    index: listed('index/'),
    snapshot: listed('snapshots/').reverse(),
    mark: listed('marks/').reverse(),
    trash: listed('trash/').reverse(),
    grant: listed('grants/'),
    session: SESSIONS,
  }
}

function ofEach<T>(give: (kind: Kind) => T): Record<Kind, T> {
  return Object.fromEntries(KINDS.map((kind) => [kind, give(kind)])) as Record<Kind, T>
}

function keysOf(chosen: Chosen | undefined, at: number): Record<Kind, string> {
  return ofEach((kind) => chosen?.[kind][at] ?? '')
}

function objectsOf({ objects }: MemorySink, keys: Record<Kind, string>): DamageBase['others'] {
  return ofEach((kind) => objects.get(keys[kind])?.bytes)
}

async function foreignObjects(vault: SmallVault): Promise<DamageBase['foreign']> {
  const host = createVaultHost(strangerKeys)
  const sink = memorySink('foreign', vault.call.now)
  const call = { ...vault.call, host, sinks: [sink], stateDirectory: `${vault.call.stateDirectory}/foreign` }
  await initVault({ sinks: [sink], publicKey: strangerKeys.publicKey })
  const ids: string[] = []
  for (let i = 0; i < 2; i++) {
    vault.live()
    const made = await backup({
      ...call,
      program: 'test',
      sources: vault.sources(),
      copies: 1,
      tags: ['kept'],
    })
    ids.push(made.snapshot ?? '')
  }
  await prune({ ...call, choose: () => new Set(ids.slice(0, 1)) })
  await addGrant({
    sinks: [sink],
    vaultId: host.vaultId,
    master: new Uint8Array(32).fill(99),
    recipient: recipients[0]?.publicKey ?? new Uint8Array(),
  })
  putSessions(sink, host, strangerKeys, vault.call.now())
  const first = (prefix: string) =>
    [...sink.objects].find(([key]) => key.startsWith(prefix))?.[1].bytes ?? new Uint8Array()
  const packs = [...sink.objects]
    .flatMap(([key, { bytes }]) => (key.startsWith('packs/') ? [bytes] : []))
    .sort((a, b) => b.length - a.length)
  return {
    'vault.json': first('vault.json'),
    'data pack': packs[0] ?? new Uint8Array(),
    'pack of nodes': packs.at(-1) ?? new Uint8Array(),
    index: first('index/'),
    snapshot: first('snapshots/'),
    mark: first('marks/'),
    trash: first('trash/'),
    grant: first('grants/'),
    session: first('sessions/'),
  }
}
