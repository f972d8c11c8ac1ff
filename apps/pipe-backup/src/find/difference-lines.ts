import type { ChangedPart, Difference, ListedEntry } from '@pipe-backup/vault'
import { escapeBytes, escapeText } from '../terminal/escape-bytes.ts'
import { entryToJson, permissions } from '../terminal/long-listing.ts'
import { formatBytes, formatCount } from '../terminal/quantities.ts'

/**
 * A difference in one line: `+` added, `-` removed, `M` another content, `T` of another type; in the second column `m` for metadata: mode, owner, extended attributes, or, of what
 * has the same content, the time.
 */
export function differenceLine(one: Difference): string {
  switch (one.kind) {
    case 'added':
      return `+  ${shown(one.after)}${sizeNote(one.after)}`
    case 'removed':
      return `-  ${shown(one.before)}${sizeNote(one.before)}`
    case 'changed': {
      const { before, after, parts } = one
      const first = parts.includes('type') ? 'T' : parts.includes('content') ? 'M' : ' '
      return `${first}${hasMetadataMark(parts) ? 'm' : ' '} ${shown(after)}  (${changeNotes(before, after, parts)})`
    }
  }
}

/** A difference for programs. */
export function differenceToJson(one: Difference): Readonly<Record<string, unknown>> {
  if (one.kind === 'added') return { change: 'added', ...entryToJson(one.after) }
  if (one.kind === 'removed') return { change: 'removed', ...entryToJson(one.before) }
  const { before, after, parts } = one
  return { change: 'changed', ...entryToJson(after), parts, before: entryToJson(before) }
}

/** How many entries and bytes differ. */
export class DiffTotals {
  added = 0
  addedBytes = 0
  removed = 0
  removedBytes = 0
  /** Of another content or type. */
  modified = 0
  modifiedBytesBefore = 0
  modifiedBytesAfter = 0
  /** Of the same content, but not the same mode, owner, attributes or time. */
  metadata = 0

  add(one: Difference): void {
    if (one.kind === 'added') {
      this.added++
      this.addedBytes += sizeOf(one.after)
    } else if (one.kind === 'removed') {
      this.removed++
      this.removedBytes += sizeOf(one.before)
    } else if (isModified(one.parts)) {
      this.modified++
      this.modifiedBytesBefore += sizeOf(one.before)
      this.modifiedBytesAfter += sizeOf(one.after)
    } else this.metadata++
  }

  toString(): string {
    const before = formatBytes(this.modifiedBytesBefore)
    const after = formatBytes(this.modifiedBytesAfter)
    return [
      `${formatCount(this.added)} added (${formatBytes(this.addedBytes)})`,
      `${formatCount(this.removed)} removed (${formatBytes(this.removedBytes)})`,
      `${formatCount(this.modified)} modified (${before} before, ${after} after)`,
      `${formatCount(this.metadata)} with other metadata`,
    ].join(', ')
  }
}

function isModified(parts: readonly ChangedPart[]): boolean {
  return parts.includes('content') || parts.includes('type')
}

/** What has another content has another time too: that says nothing more. */
function hasMetadataMark(parts: readonly ChangedPart[]): boolean {
  return (
    parts.includes('mode') || parts.includes('owner') || parts.includes('attributes') || !isModified(parts)
  )
}

function shown({ path, type }: ListedEntry): string {
  return `${escapeBytes(path)}${type === 'directory' ? '/' : ''}`
}

function sizeOf(entry: ListedEntry): number {
  return entry.type === 'file' ? (entry.size ?? 0) : 0
}

function sizeNote(entry: ListedEntry): string {
  return entry.type === 'file' ? `  (${formatBytes(sizeOf(entry))})` : ''
}

/** In what an entry is another one than before, in words; empty where there is no more to say than that. */
export function changeNotes(before: ListedEntry, after: ListedEntry, parts: readonly ChangedPart[]): string {
  return parts
    .flatMap((part) => {
      switch (part) {
        case 'type':
          return [`${before.type} -> ${after.type}`]
        case 'content':
          return [contentNote(before, after)]
        case 'mode':
          return [`${permissions(before.mode)} -> ${permissions(after.mode)}`]
        case 'owner':
          return [`${owner(before)} -> ${owner(after)}`]
        case 'attributes':
          return ['extended attributes']
        case 'mtime':
          return isModified(parts) ? [] : ['time']
      }
    })
    .join(', ')
}

function contentNote(before: ListedEntry, after: ListedEntry): string {
  if (before.type === 'file' && after.type === 'file') {
    const [old, now] = [formatBytes(sizeOf(before)), formatBytes(sizeOf(after))]
    return old === now ? 'content' : `${old} -> ${now}`
  }
  if (before.type === 'symlink' && after.type === 'symlink')
    return `${escapeBytes(before.target)} -> ${escapeBytes(after.target)}`
  return 'content'
}

function owner({ user, uid, group, gid }: ListedEntry): string {
  const name = (text: string, id: number): string => (text === '' ? String(id) : `${escapeText(text)}(${id})`)
  return `${name(user, uid)}:${name(group, gid)}`
}
