import { tmpdir } from 'node:os'
import { SourceError } from '@pipe-backup/source'
import type { CopyEnd } from './copy-messages.ts'

/** What SQLite's result codes mean to whoever reads the message. @see https://sqlite.org/rescode.html */
const REASONS: Readonly<Record<number, readonly [what: string, hint?: string]>> = {
  3: ['may not be read'],
  5: ['is locked by another program', 'It was waited for: a transaction there does not end.'],
  8: [
    'was left in the middle of a write, which only its program can undo',
    'Start that program, or open the database once with sqlite3.',
  ],
  10: ['could not be read or copied: I/O error'],
  11: ['is corrupt', 'Older snapshots have it as it was; `sqlite3 FILE .recover` saves what it can.'],
  13: ['', 'The copy is as large as the database: set TMPDIR to a directory with room for it.'],
  14: ['can not be opened', 'Its directory must let the user in, and in WAL mode let him make FILE-shm.'],
  26: ['is no SQLite database, or an encrypted one'],
}
const FULL = 13
const CORRUPT = 11

/** @returns SourceError `command-failed`, in one line */
export function toFailure(database: string, end: Exclude<CopyEnd, { readonly bytes: number }>): SourceError {
  if ('stopped' in end) return new SourceError('command-failed', `the copy of ${database} was stopped`)
  if ('damage' in end)
    return new SourceError('command-failed', `${database} is corrupt: ${oneLine(end.damage)}`, {
      hint: REASONS[CORRUPT]?.[1],
    })
  const [what, hint] = REASONS[end.errorCode] ?? []
  const message =
    end.errorCode === FULL
      ? `no room for a copy of ${database} in ${tmpdir()}`
      : `${database} ${what ?? 'could not be copied'} (${oneLine(end.message)})`
  return new SourceError('command-failed', message, { hint })
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
