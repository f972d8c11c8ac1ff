import { lstatSync, type Stats, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { QUOTA_EXCEEDED, SinkError, type SinkErrorCode } from '@pipe-backup/sink'

const CODES: Readonly<Record<string, readonly [SinkErrorCode, string, string?]>> = {
  ENOENT: ['not-found', 'is not there'],
  EEXIST: ['exists', 'exists already'],
  ENOSPC: [
    'full',
    'not stored: the disk is full',
    'Free some space, or lower `keep`, then run `pipe-backup heal`.',
  ],
  [QUOTA_EXCEEDED]: [
    'full',
    'not stored: the disk quota is used up',
    'Free some space, or have the quota raised, then run `pipe-backup heal`.',
  ],
  ENAMETOOLONG: [
    'protocol',
    'not stored: its path is too long for this file system',
    'Choose a shorter `path`, or another file system.',
  ],
  EFBIG: ['too-large', 'not stored: too large for this file system'],
  EROFS: ['forbidden', 'not stored: the file system is read-only', 'Mount it for writing.'],
  EACCES: ['forbidden', 'permission denied', 'Check who owns the directory, and its mode.'],
  EPERM: ['forbidden', 'not permitted', 'Is a file or directory immutable, or owned by another user?'],
  EIO: ['unreachable', 'the disk reports an I/O error', 'Look at the kernel log: the disk may be dying.'],
  ESTALE: ['unreachable', 'the file server has lost the directory'],
  ENODEV: ['unreachable', 'the disk has gone'],
  ENXIO: ['unreachable', 'the disk has gone'],
  ENOTCONN: ['unreachable', 'the program behind this mount has ended', 'Mount it again.'],
  ELOOP: ['unreachable', 'symbolic links lead in a circle there'],
  EXDEV: ['protocol', 'not stored: a part of the sink is on another file system', 'Put all of it on one.'],
  ETIMEDOUT: ['timeout', 'the file server does not answer'],
  EMFILE: ['throttled', 'too many files are open'],
  ENFILE: ['throttled', 'too many files are open on this machine'],
}

/** The one place that knows what the operating system's error codes mean for a sink. */
export function toSinkError(cause: unknown, sink: string, key?: string): unknown {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return cause
  if (cause.name === 'SinkError' || cause.name === 'AbortError') return cause
  const [code, what, hint] = owned(cause) ??
    withoutInodes(cause) ??
    CODES[cause.code] ?? ['protocol', `failed with ${cause.code}`]
  return new SinkError(code, what, {
    sink,
    cause,
    key,
    hint,
  })
}

/** A file system may have room for bytes, and none for another file. */
function withoutInodes(cause: Error): readonly [SinkErrorCode, string, string] | undefined {
  if (!isCode(cause, 'ENOSPC') || !('path' in cause) || typeof cause.path !== 'string') return undefined
  try {
    const { files, ffree } = statfsSync(dirname(cause.path))
    if (files === 0 || ffree > 0) return undefined
  } catch {
    return undefined
  }
  const hint =
    'Remove files there (df -i), or make the file system with more inodes; then run `pipe-backup heal`.'
  return ['full', 'not stored: the file system has no inodes left for another file', hint]
}

/** Whose it is that may not be read or written: a run as root leaves files that others have no part in. */
function owned(cause: Error): readonly [SinkErrorCode, string, string] | undefined {
  if (!('code' in cause) || cause.code !== 'EACCES' || !('path' in cause) || typeof cause.path !== 'string')
    return undefined
  const self = process.geteuid?.()
  // The nearest that can be looked at: what it lies in may be what is closed.
  for (let path = cause.path; ; path = dirname(path)) {
    const found = look(path)
    if (found === undefined) {
      if (path === dirname(path)) return undefined
      continue
    }
    if (found.uid === self) return undefined
    const owner = found.uid === 0 ? 'root' : `user ${found.uid}`
    return [
      'forbidden',
      `permission denied: ${path} belongs to ${owner}, and this runs as user ${self}`,
      `Run it as ${owner}, or give it back: chown -R ${self} DIRECTORY.`,
    ]
  }
}

/** @returns undefined for what is not there, or may not be looked at */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
