import { randomBytes } from 'node:crypto'
import type { Author, ObjectKeys } from '@pipe-backup/crypto'
import { isObject } from '../is-object.ts'
import { VaultError } from '../vault-error.ts'
import { parseVersioned } from './parse-versioned.ts'
import { forgedObject, openObject, type SealingHost, sealObject } from './sealed-object.ts'

/** What a host says of a snapshot (docs/format.md section 9). It is never replaced: the next mark names those that it takes the place of. */
export interface Mark {
  /** No prune removes the snapshot. */
  readonly pinned: boolean
  readonly tags: readonly string[]
  /** Ids of the marks of this snapshot in whose place it stands. Those of other hosts count only from a host that maintains the vault. */
  readonly replaces: readonly string[]
}

/** A mark, and who wrote it. */
export interface SignedMark extends Mark {
  readonly author: Author
}

const KEY = /^marks\/(\d{8}t\d{6}z-[0-9a-f]{16})-([0-9a-f]{32})-([0-9a-f]{16})$/
/** Ids that one mark may name: so many changes of one snapshot's marks are remembered. */
export const MAX_REPLACED = 2048
/** Tags of one mark. */
export const MAX_TAGS = 64
/** UTF-8 bytes of a tag. */
const MAX_TAG_BYTES = 128

/** The id in a mark's key, or undefined where it is no such key. */
export function markIdOf(key: string): string | undefined {
  return KEY.exec(key)?.[3]
}

/** The id of the host that a mark's key names as its author, or undefined where it is no such key. */
export function markAuthorOf(key: string): string | undefined {
  return KEY.exec(key)?.[2]
}

/** The key of the snapshot that a mark's key is about, or undefined where it is no such key. */
export function markedSnapshotOf(key: string): string | undefined {
  const name = KEY.exec(key)?.[1]
  return name === undefined ? undefined : `snapshots/${name}`
}

/** A new key for a mark. @param snapshotKey - of the snapshot that it is about @param hostId - of the host that writes it */
export function newMarkKey(snapshotKey: string, hostId: string): string {
  return `${snapshotKey.replace(/^snapshots/, 'marks')}-${hostId}-${randomBytes(8).toString('hex')}`
}

/** Whether a text can be a tag: 1 to 128 bytes of UTF-8, no comma, no control character, and no blank at its ends. */
export function isTag(text: string): boolean {
  const bytes = Buffer.byteLength(text)
  return bytes > 0 && bytes <= MAX_TAG_BYTES && text.trim() === text && /^[^,\p{C}\p{Zl}\p{Zp}]+$/u.test(text)
}

export function sealMark(host: SealingHost, key: string, { pinned, tags, replaces }: Mark): Buffer {
  return sealObject(host, key, Buffer.from(JSON.stringify({ version: 1, pinned, tags, replaces })))
}

/** @throws VaultError `corrupt`, `unsupported-version`, `revoked`, naming the key; `forged` when another host wrote it than its key says */
export function openMark(keys: ObjectKeys, key: string, object: Uint8Array): SignedMark {
  const { content, author } = openObject(keys, key, object)
  // Also from a host that maintains the vault: what it has to say stands beside, and replaces.
  if (author.hostId !== markAuthorOf(key)) throw forgedObject(key)
  const mark = parseVersioned(key, content)
  if (markIdOf(key) === undefined || !isObject(mark) || mark['version'] !== 1)
    throw new VaultError('corrupt', `${key} is not a mark that this program understands`, { key })
  const { pinned, tags, replaces } = mark
  const isMark =
    typeof pinned === 'boolean' &&
    isListOf(tags, MAX_TAGS, isTag) &&
    isListOf(replaces, MAX_REPLACED, (id) => /^[0-9a-f]{16}$/.test(id))
  if (!isMark) throw new VaultError('corrupt', `${key} is not a mark that this program understands`, { key })
  return { pinned, tags, replaces, author }
}

function isListOf(value: unknown, max: number, isOne: (text: string) => boolean): value is string[] {
  return (
    Array.isArray(value) && value.length <= max && value.every((one) => typeof one === 'string' && isOne(one))
  )
}
