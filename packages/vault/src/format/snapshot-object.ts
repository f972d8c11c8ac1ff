import type { ObjectKeys } from '@pipe-backup/crypto'
import { isObject } from '../is-object.ts'
import { VaultError } from '../vault-error.ts'
import { parseVersioned } from './parse-versioned.ts'
import { forgedObject, openObject, type SealingHost, sealObject } from './sealed-object.ts'

export interface SnapshotSource {
  readonly name: string
  readonly state: 'ok' | 'incomplete' | 'failed'
  /** Id of the manifest's root node, hex; absent when failed. */
  readonly root?: string | undefined
  readonly entries: number
  /** Sum of the files' sizes. */
  readonly bytes: number
  readonly problems: number
  /** When it was read, where that was an earlier run than this one. */
  readonly takenAt?: string | undefined
  readonly error?: string | undefined
}

/** The head of a snapshot (docs/format.md section 7). */
export interface SnapshotHead {
  readonly version: 1
  readonly id: string
  readonly time: string
  readonly host: string
  readonly hostId: string
  readonly program: string
  /** When a sink first stored it, by that sink's clock, where a compaction has written it again since. */
  readonly firstStored?: string | undefined
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

/** The time in a snapshot's key, to the second, or undefined where it is no such key. */
export function snapshotTimeOf(key: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = KEY.exec(key) ?? []
  return year === undefined ? undefined : new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

export function sealSnapshot(host: SealingHost, key: string, head: SnapshotHead): Buffer {
  return sealObject(host, key, Buffer.from(JSON.stringify(head)))
}

/**
 * @throws VaultError `corrupt`, `unsupported-version`, naming the key; `forged` when neither the host that it says wrote it, nor one that maintains
 * the vault
 */
export function openSnapshotHead(keys: ObjectKeys, key: string, object: Uint8Array): SnapshotHead {
  const { content, author } = openObject(keys, key, object)
  const head = parseVersioned(key, content)
  if (!isHead(head) || head.id !== snapshotIdOf(key)) {
    throw new VaultError('corrupt', `${key} is not a snapshot that this program understands`, { key })
  }
  if (head.hostId !== author.hostId && author.role !== 'maintain') throw forgedObject(key)
  return head
}

function isHead(value: unknown): value is SnapshotHead {
  return (
    isObject(value) &&
    value['version'] === 1 &&
    typeof value['time'] === 'string' &&
    Number.isFinite(Date.parse(value['time'])) &&
    ['id', 'host', 'hostId', 'program'].every((name) => typeof value[name] === 'string') &&
    isTimeOrAbsent(value['firstStored']) &&
    Array.isArray(value['sources']) &&
    value['sources'].every(isSnapshotSource) &&
    Array.isArray(value['packs']) &&
    value['packs'].every(
      (pack: unknown) => Array.isArray(pack) && isId(pack[0]) && typeof pack[1] === 'string',
    )
  )
}

const STATES: ReadonlySet<unknown> = new Set<SnapshotSource['state']>(['ok', 'incomplete', 'failed'])

/** Whether parsed JSON is what a snapshot says of a source. */
export function isSnapshotSource(value: unknown): value is SnapshotSource {
  return (
    isObject(value) &&
    typeof value['name'] === 'string' &&
    STATES.has(value['state']) &&
    (value['root'] === undefined ? value['state'] === 'failed' : isId(value['root'])) &&
    ['entries', 'bytes', 'problems'].every((name) => typeof value[name] === 'number') &&
    ['undefined', 'string'].includes(typeof value['error']) &&
    ['undefined', 'string'].includes(typeof value['takenAt'])
  )
}

function isTimeOrAbsent(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && Number.isFinite(Date.parse(value)))
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}
