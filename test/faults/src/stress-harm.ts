import { createHash } from 'node:crypto'
import type { MemorySink } from '@pipe-backup/sink/testing'
import { createVaultHost } from '@pipe-backup/vault'
import { strangerKeys } from './damage-base.ts'
import { contentOf, falseIndex, forgedPack, type Signer, sealedObject } from './forge.ts'
import { keys } from './small-vault.ts'
import type { Oracle } from './stress-oracle.ts'

type Random = () => number

/** What can happen to an object on a disk, or is done to it by whoever has got into a sink. */
const DAMAGES = ['flipped', 'cut', 'emptied', 'deleted', 'swapped', 'lengthened'] as const
/** Chosen before the object, so that the many packs do not take all of it. */
const KINDS = [
  'packs/',
  'packs/',
  'snapshots/',
  'snapshots/',
  'marks/',
  'index/',
  'trash/',
  'sessions/',
  'vault.json',
]
const FORGEABLE = ['packs/', 'snapshots/', 'index/', 'trash/', 'sessions/'] as const

export function pick<T>(random: Random, from: readonly T[]): T | undefined {
  return from[Math.floor(random() * from.length)]
}

/** Hex digits, that are the same for the same seed. */
function hexOf(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')
}

/** Damages a random object on one sink, seldom on all of them. @returns what was done; undefined where there is no such object */
export function damage(random: Random, stores: readonly MemorySink[]): string | undefined {
  const kind = pick(random, KINDS) ?? ''
  const store = pick(random, stores)
  const found = [...(store?.objects.keys() ?? [])].filter((key) => key.startsWith(kind))
  const key = pick(random, found)
  const how = pick(random, DAMAGES) ?? 'deleted'
  if (!store || key === undefined) return undefined
  const other = store.objects.get(pick(random, found) ?? '')?.bytes
  const part = random()
  const everywhere = random() < 0.06
  for (const one of everywhere ? stores : [store]) {
    const object = one.objects.get(key)
    if (!object) continue
    const bytes = damaged(Buffer.from(object.bytes), how, part, other)
    if (bytes) one.objects.set(key, { ...object, bytes })
    else one.objects.delete(key)
  }
  return `${kind} ${everywhere ? 'on all sinks' : how}: ${key.slice(0, 40)} of ${store.name}`
}

/** @param part - where, from 0 to 1 @returns undefined where it is gone */
function damaged(
  bytes: Buffer,
  how: (typeof DAMAGES)[number],
  part: number,
  other: Uint8Array | undefined,
): Uint8Array | undefined {
  const at = Math.floor(part * bytes.length)
  switch (how) {
    case 'flipped':
      if (bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at & 7)), at)
      return bytes
    case 'cut':
      return bytes.subarray(0, at)
    case 'emptied':
      return bytes.subarray(0, 0)
    case 'deleted':
      return undefined
    case 'swapped':
      return other ? Uint8Array.from(other) : bytes
    case 'lengthened':
      return Buffer.concat([bytes, Buffer.of(0x41)])
  }
}

/** Has stolen the keys of a host that no longer exists, and the credentials of the sinks; and has made a vault of his own. */
export class Thief {
  readonly #random: Random
  readonly #oracle: Oracle
  /** Who signs what he must not. */
  readonly #forgers: readonly Signer[] = [
    createVaultHost(strangerKeys).signer,
    createVaultHost(keys, 'write').signer,
  ]
  /** One that may maintain the vault: its trash is believed for what the policy does not keep. */
  readonly #maintainer: Signer = createVaultHost(keys).signer

  constructor(random: Random, oracle: Oracle) {
    this.#random = random
    this.#oracle = oracle
  }

  /** Plants a forged object, in the place of a genuine one or beside it. @returns what was done; undefined where there was nothing to forge */
  plant(stores: readonly MemorySink[], now: Date): string | undefined {
    const random = this.#random
    const store = pick(random, stores)
    const kind = pick(random, FORGEABLE) ?? 'trash/'
    if (!store) return undefined
    const signer = pick(random, this.#forgers)
    if (!signer) return undefined
    if (kind === 'trash/') return this.#plantTrash(store, random() < 0.3 ? this.#maintainer : signer, now)
    const key = pick(
      random,
      [...store.objects.keys()].filter((one) => one.startsWith(kind)),
    )
    const object = store.objects.get(key ?? '')
    if (key === undefined || !object) return undefined
    const isBeside = random() < 0.5
    const forged = this.#forge(kind, key, isBeside, Buffer.from(object.bytes), signer)
    if (!forged) return undefined
    store.objects.set(forged.key, { bytes: forged.bytes, storedAt: now })
    return `${kind} forged ${isBeside ? 'beside another' : 'in place'}: ${key.slice(0, 40)} of ${store.name}`
  }

  /** Trash that says of all packs and snapshots that they may go. */
  #plantTrash({ name, objects }: MemorySink, signer: Signer, now: Date): string {
    const stamp = now
      .toISOString()
      .toLowerCase()
      .replaceAll(/[-:]|\.\d+/g, '')
    const key = `trash/${stamp}-${hexOf(this.#random, 16)}`
    const content = {
      version: 1,
      time: now.toISOString(),
      packs: [...objects.keys()].filter((one) => one.startsWith('packs/')).map((one) => one.slice(-64)),
      snapshots: [...objects.keys()]
        .filter((one) => one.startsWith('snapshots/'))
        .map((one) => one.slice(-16)),
      sessions: [],
    }
    const bytes = sealedObject(keys, signer, key, Buffer.from(JSON.stringify(content)))
    objects.set(key, { bytes, storedAt: now })
    const isBelieved = signer === this.#maintainer
    if (isBelieved) this.#oracle.record(key, bytes)
    return `trash/ ${isBelieved ? 'of everything, by a maintainer' : 'forged'}: on ${name}`
  }

  #forge(
    kind: (typeof FORGEABLE)[number],
    key: string,
    isBeside: boolean,
    object: Buffer,
    signer: Signer,
  ): { readonly key: string; readonly bytes: Uint8Array } | undefined {
    try {
      if (kind === 'packs/') {
        const bytes = forgedPack(keys, signer, object)
        const name = createHash('sha256').update(bytes).digest('hex')
        return { key: isBeside ? `packs/${name.slice(0, 2)}/${name}` : key, bytes }
      }
      const content = contentOf(keys, key, object)
      const own = isBeside ? `${key.slice(0, -16)}${hexOf(this.#random, 16)}` : key
      const lies = kind === 'index/' ? falseIndex(content) : lying(kind, own, content)
      return { key: own, bytes: sealedObject(keys, signer, own, lies) }
    } catch {
      // It was damaged before.
      return undefined
    }
  }
}

function lying(kind: 'snapshots/' | 'trash/' | 'sessions/', key: string, content: Buffer): Buffer {
  const said = JSON.parse(content.toString()) as Record<string, unknown>
  const lies = kind === 'sessions/' ? { kind: 'prune' } : { id: key.slice(-16), sources: [] }
  return Buffer.from(JSON.stringify({ ...said, ...lies }))
}
