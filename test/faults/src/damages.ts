import { createHash } from 'node:crypto'
import type { MemorySink } from '@pipe-backup/sink/testing'
import { createVaultHost } from '@pipe-backup/vault'
import { type DamageBase, type Kind, strangerKeys } from './damage-base.ts'
import { contentOf, falseIndex, forgedPack, type Signer, sealedObject } from './forge.ts'
import { keys } from './small-vault.ts'

/** Those who sign what they may not: one that another phrase certified, and one that may write in its own name alone. */
const FORGERS: readonly (readonly [who: string, signer: Signer])[] = [
  ['a host that another phrase certified', createVaultHost(strangerKeys).signer],
  ['a host that may write in its own name', createVaultHost(keys, 'write').signer],
]
/** Beside the genuine one, not in its place. */
export const PLANTED = 'forged under a name of its own'
/** Where bytes are changed: at both ends, in the version, in what is sealed and in what is behind it. */
const PLACES: Readonly<Record<string, (bytes: number) => number>> = {
  first: () => 0,
  eighth: () => 7,
  thirtieth: () => 29,
  middle: (bytes) => bytes >> 1,
  'last but twenty': (bytes) => bytes - 21,
  last: (bytes) => bytes - 1,
}

/** What is done to one object, on one sink or on all. */
export interface Damage {
  readonly name: string
  /** Whether a run, which takes time, is tried beside it, too. */
  readonly isTriedWithRun: boolean
  /** Whether it is done to all sinks, too: of what differs in its place alone one is enough. */
  readonly isOnAll: boolean
  /**
   * @param sink - what is changed
   * @returns the key of what is damaged now; undefined where there is no such damage of this kind
   */
  readonly inflict: (base: DamageBase, kind: Kind, sink: MemorySink) => string | undefined
}

interface Damaged extends DamageBase {
  readonly kind: Kind
  readonly key: string
}

function keyOf({ keys: chosen }: DamageBase, kind: Kind, { name }: MemorySink): string {
  return chosen[name]?.[kind] ?? ''
}

/** A damage that leaves other bytes under the object's own key. */
function replacing(
  name: string,
  change: (bytes: Buffer, of: Damaged) => Uint8Array | undefined,
  { isTriedWithRun = false, isOnAll = false }: Partial<Pick<Damage, 'isTriedWithRun' | 'isOnAll'>> = {},
): Damage {
  return {
    name,
    isTriedWithRun,
    isOnAll,
    inflict: (base, kind, sink) => {
      const key = keyOf(base, kind, sink)
      const object = sink.objects.get(key)
      const bytes = object && change(Buffer.from(object.bytes), { ...base, key, kind })
      if (!bytes) return undefined
      sink.objects.set(key, { ...object, bytes })
      return key
    },
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
}

/** Names of the packs that a snapshot needs. */
function packsOf(key: string, snapshot: Uint8Array): string[] {
  const { packs } = fieldsOf(JSON.parse(contentOf(keys, key, snapshot).toString()))
  return Array.isArray(packs)
    ? packs.map((pack: unknown) => String(Array.isArray(pack) ? pack[0] : pack))
    : []
}

/** The sink was pruned since: what only the older version needs is deleted. @returns the key of such a pack */
function rollBackBehindPrune(base: DamageBase, kind: Kind, sink: MemorySink): string | undefined {
  const key = keyOf(base, kind, sink)
  const object = sink.objects.get(key)
  const bytes = base.older.get(key)
  if (kind !== 'snapshot' || !object || !bytes) return undefined
  const needed = new Set(packsOf(key, object.bytes))
  const deleted = packsOf(key, bytes)
    .filter((name) => !needed.has(name))
    .map((name) => `packs/${name.slice(0, 2)}/${name}`)
  for (const pack of deleted) sink.objects.delete(pack)
  sink.objects.set(key, { ...object, bytes })
  return deleted[0]
}

/** What a forger makes of an object: it lies about what it stands for. */
function forged({ vault, kind, key }: Damaged, bytes: Buffer, signer: Signer): Buffer | undefined {
  if (kind.includes('pack')) return forgedPack(keys, signer, bytes)
  if (kind === 'index') return sealedObject(keys, signer, key, falseIndex(contentOf(keys, key, bytes)))
  if (!(kind === 'snapshot' || kind === 'mark' || kind === 'trash' || kind === 'session')) return undefined
  const content: unknown = JSON.parse(contentOf(keys, key, bytes).toString())
  const heldPacks = [...vault.store('a').objects.keys()].filter((one) => one.startsWith('packs/'))
  const lies = {
    snapshot: { sources: [] },
    mark: { pinned: false, tags: ['x'] },
    trash: {
      packs: heldPacks.map((pack) => pack.slice(-64)),
      snapshots: [...vault.expected.keys()],
      sessions: [],
    },
    session: { kind: 'prune', started: vault.call.now().toISOString() },
  }[kind]
  return sealedObject(keys, signer, key, Buffer.from(JSON.stringify({ ...fieldsOf(content), ...lies })))
}

const flips = Object.entries(PLACES)
const cuts = flips.filter(([place]) => ['first', 'thirtieth', 'middle', 'last'].includes(place))

export const DAMAGES: readonly Damage[] = [
  {
    name: 'deleted',
    isTriedWithRun: true,
    isOnAll: true,
    inflict: (base, kind, sink) => {
      const key = keyOf(base, kind, sink)
      sink.objects.delete(key)
      return key
    },
  },
  ...cuts.map(([place, at]) => {
    const isAll = place === 'first'
    const name = isAll ? 'emptied' : `cut before its ${place} byte`
    return replacing(name, (bytes) => bytes.subarray(0, at(bytes.length)), { isOnAll: isAll })
  }),
  ...flips.map(([place, at]) =>
    replacing(
      `with a bit flipped in its ${place} byte`,
      (bytes) => {
        const i = at(bytes.length)
        bytes.writeUInt8(bytes.readUInt8(i) ^ 2, i)
        return bytes
      },
      { isTriedWithRun: place === 'middle', isOnAll: place === 'eighth' || place === 'middle' },
    ),
  ),
  replacing('with a byte appended', (bytes) => Buffer.concat([bytes, Buffer.of(0x41)])),
  replacing('swapped with another of its kind', (_, { others, kind }) => others[kind], { isOnAll: true }),
  replacing('rolled back', (_, { older, kind, key }) => (kind === 'snapshot' ? older.get(key) : undefined), {
    isTriedWithRun: true,
    isOnAll: true,
  }),
  {
    name: 'rolled back behind a prune',
    isTriedWithRun: true,
    isOnAll: false,
    inflict: rollBackBehindPrune,
  },
  replacing('of another vault', (_, { foreign, kind }) => foreign[kind], { isOnAll: true }),
  ...FORGERS.flatMap(([who, signer]): Damage[] => [
    replacing(`forged by ${who}`, (bytes, of) => forged(of, bytes, signer), {
      isTriedWithRun: true,
      isOnAll: true,
    }),
    {
      name: `${PLANTED} by ${who}`,
      isTriedWithRun: true,
      isOnAll: true,
      inflict: (base, kind, sink) => {
        const object = kind.includes('pack') ? sink.objects.get(keyOf(base, kind, sink)) : undefined
        const bytes = object && forgedPack(keys, signer, Buffer.from(object.bytes))
        if (!bytes) return undefined
        const name = createHash('sha256').update(bytes).digest('hex')
        const key = `packs/${name.slice(0, 2)}/${name}`
        sink.objects.set(key, { ...object, bytes })
        return key
      },
    },
  ]),
]

/** One damage to one kind of object. */
export interface Cell {
  readonly kind: Kind
  readonly damage: Damage
  /** Names of the sinks where it is done. */
  readonly where: readonly string[]
  readonly title: string
}

/** All cells of a kind, also such as do not exist: `inflict` tells. */
export function cellsOf(kind: Kind): Cell[] {
  return DAMAGES.flatMap((damage) =>
    [['a'], ...(damage.isOnAll ? [['a', 'b', 'c']] : [])].map((where) => ({
      kind,
      damage,
      where,
      title: `${kind} ${damage.name} on ${where.length === 1 ? 'one sink' : 'all sinks'}`,
    })),
  )
}
