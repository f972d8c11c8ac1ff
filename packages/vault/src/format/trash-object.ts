import { randomBytes } from 'node:crypto'
import type { ObjectKeys } from '@pipe-backup/crypto'
import { isObject } from '../is-object.ts'
import { VaultError } from '../vault-error.ts'
import { forgedObject, openObject, type SealingHost, sealObject } from './sealed-object.ts'

/** What a prune has condemned on one sink, or a healing found unrecoverable (docs/format.md section 9). */
export interface Trash {
  /** Packs that nothing needed. */
  readonly packs: readonly string[]
  /** Ids of snapshots that were removed: to heal must not bring them back. */
  readonly snapshots: readonly string[]
  /** Sessions that were going on then. Undefined while it was not yet known which: nothing is deleted by such an object. */
  readonly sessions: readonly string[] | undefined
  /** Packs that are needed, and damaged on every sink: a healing says so of them, and nothing is deleted by it. */
  readonly damaged?: readonly string[] | undefined
}

const KEY = /^trash\/\d{8}t\d{6}z-[0-9a-f]{16}$/

export function isTrashKey(key: string): boolean {
  return KEY.test(key)
}

/** A new key, with the time for people alone: what counts is when the sink stored it. */
export function newTrashKey(time: Date): string {
  const stamp = time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase()
  return `trash/${stamp}z-${randomBytes(8).toString('hex')}`
}

export function sealTrash(host: SealingHost, key: string, time: Date, trash: Trash): Buffer {
  return sealObject(
    host,
    key,
    Buffer.from(JSON.stringify({ version: 1, time: time.toISOString(), ...trash })),
  )
}

/** @throws VaultError `corrupt`, naming the key; `forged` when no host wrote it that may prune */
export function openTrash(keys: ObjectKeys, key: string, object: Uint8Array): Trash {
  const { content, author } = openObject(keys, key, object)
  if (author.role !== 'maintain') throw forgedObject(key)
  let trash: unknown
  try {
    trash = JSON.parse(content.toString())
  } catch {
    trash = undefined
  }
  const pack = /^[0-9a-f]{64}$/
  if (!isObject(trash) || !isListOf(trash['packs'], pack))
    throw new VaultError('corrupt', `${key} is not what a prune writes`, { key })
  const { packs, snapshots, sessions, damaged } = trash
  const id = /^[0-9a-f]{16}$/
  return {
    packs,
    snapshots: isListOf(snapshots, id) ? snapshots : [],
    sessions: isListOf(sessions, id) ? sessions : undefined,
    ...(isListOf(damaged, pack) && { damaged }),
  }
}

function isListOf(value: unknown, pattern: RegExp): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string' && pattern.test(text))
}
