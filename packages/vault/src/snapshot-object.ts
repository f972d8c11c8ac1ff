import { openObject, sealObject } from './sealed-object.ts'
import { VaultError } from './vault-error.ts'

export interface SnapshotSource {
  readonly name: string
  readonly state: 'ok' | 'incomplete' | 'failed'
  /** Id of the manifest's root node, hex; absent when failed. */
  readonly root?: string
  readonly entries: number
  /** Sum of the files' sizes. */
  readonly bytes: number
  readonly problems: number
  readonly error?: string
}

/** The head of a snapshot (docs/format.md section 7). */
export interface SnapshotHead {
  readonly version: 1
  readonly id: string
  readonly time: string
  readonly host: string
  readonly hostId: string
  readonly program: string
  readonly sources: readonly SnapshotSource[]
  /** Names of the packs needed, each with the bitmap of its live chunks. */
  readonly packs: readonly (readonly [name: string, bitmap: string])[]
}

const KEY = /^snapshots\/(\d{4})(\d{2})(\d{2})t(\d{2})(\d{2})(\d{2})z-([0-9a-f]{16})$/

/** The key for a snapshot of this time and id. */
export function snapshotKey(time: Date, id: string): string {
  const stamp = time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase()
  return `snapshots/${stamp}z-${id}`
}

/** The id in a snapshot's key, or undefined where it is no such key. */
export function snapshotIdOf(key: string): string | undefined {
  return KEY.exec(key)?.[7]
}

export function sealSnapshot(indexKey: Uint8Array, key: string, head: SnapshotHead): Buffer {
  return sealObject(indexKey, key, Buffer.from(JSON.stringify(head)))
}

/** @throws VaultError `corrupt`, `unsupported-version` */
export function openSnapshotHead(indexKey: Uint8Array, key: string, object: Uint8Array): SnapshotHead {
  const head: unknown = JSON.parse(openObject(indexKey, key, object).toString())
  if (!isHead(head) || head.id !== snapshotIdOf(key)) {
    throw new VaultError('corrupt', `${key} is not a snapshot that this program understands`, { key })
  }
  return head
}

/** Only this vault's hosts can write a head that opens; this guards against other versions, not against forgers. */
function isHead(value: unknown): value is SnapshotHead {
  if (typeof value !== 'object' || value === null) return false
  const { version, id, time, sources, packs } = value as Partial<Record<keyof SnapshotHead, unknown>>
  return (
    version === 1 &&
    typeof id === 'string' &&
    typeof time === 'string' &&
    Number.isFinite(Date.parse(time)) &&
    Array.isArray(sources) &&
    sources.every((source: unknown) => typeof source === 'object' && source !== null && 'name' in source) &&
    Array.isArray(packs) &&
    packs.every(
      (pack: unknown) => Array.isArray(pack) && typeof pack[0] === 'string' && typeof pack[1] === 'string',
    )
  )
}
