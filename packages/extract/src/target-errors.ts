import { accessSync, constants, lstatSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { SourceError } from '@pipe-backup/source'

/** Of Linux, with the NUL at the end. */
const PATH_MAX = 4096

interface SystemError extends Error {
  readonly code: string
  readonly errno: number
}

export function isSystemError(error: unknown): error is SystemError {
  return (
    error instanceof Error &&
    'syscall' in error &&
    'code' in error &&
    typeof error.code === 'string' &&
    'errno' in error &&
    typeof error.errno === 'number'
  )
}

/** EDQUOT of Linux, for which Node has no name. */
const QUOTA = 'Unknown system error -122'

export function reasonOf({ code, errno }: SystemError): string {
  return code === QUOTA ? 'disk quota exceeded (EDQUOT)' : `${getSystemErrorMessage(errno)} (${code})`
}

/** What is said of a target as a whole when it lets nothing be written, and what to do about it. */
const HINTS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOSPC: [
    'is full',
    'Free some space there, or files where `df -i` has none left, or choose another directory, and do the same again.',
  ],
  [QUOTA]: ['is full', 'Free some space there, or have the quota raised, and do the same again.'],
  EROFS: ['is read-only', 'Mount it for writing, or choose another directory.'],
  EIO: ['fails', 'Look at the disk and the log of the system, or choose another directory.'],
}

/** Whether no other file can be written either. */
export function isOfWholeTarget(error: unknown): boolean {
  return isSystemError(error) && HINTS[error.code] !== undefined
}

/** What is in it was not asked about. */
export function directoryInTheWay(): SourceError {
  return new SourceError('unreadable', 'was not written: there is a directory of this name')
}

/** Makes a target directory, unless it is there. @throws SourceError */
export function makeTarget(directory: string): void {
  try {
    makeAll(directory)
  } catch (error) {
    throw unusableTarget(directory, error)
  }
}

/** Node's own recursive mkdir says ENOENT for a file system that is read-only. */
function makeAll(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return
  if (!lstatSync(dirname(directory), { throwIfNoEntry: false })) makeAll(dirname(directory))
  mkdirSync(directory)
}

/** The error of a target directory that can't be made, or that is none. */
function unusableTarget(directory: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  const known = HINTS[error.code]
  if (known) return stopped(directory, error)
  const isInTheWay = error.code === 'EEXIST' || error.code === 'ENOTDIR'
  const message = isInTheWay
    ? `${directory} is no directory, or something above it is none`
    : `${directory} can not be made: ${reasonOf(error)}`
  const hint = 'Choose a directory that you may write in.'
  return new SourceError('unreadable', message, { path: directory, hint, cause: error })
}

/**
 * The error that ends everything, since each further entry would fail the same way; undefined for one that is the entry's alone.
 * @param isOpen - whether the entry goes into a directory that is there, so that it does not matter who may write in the target itself
 */
export function fatalTargetError(
  directory: string,
  error: unknown,
  isOpen: () => boolean,
): SourceError | undefined {
  if (!isSystemError(error)) return undefined
  if (isOfWholeTarget(error)) return stopped(directory, error)
  if ((error.code !== 'EACCES' && error.code !== 'EPERM') || mayWriteIn(directory) || isOpen())
    return undefined
  return new SourceError('unreadable', `nothing can be written in ${directory}: ${reasonOf(error)}`, {
    path: directory,
    hint: 'Run it as root, or choose a directory that you may write in.',
    cause: error,
  })
}

function stopped(directory: string, error: SystemError): SourceError {
  const [what, hint] = HINTS[error.code] ?? ['fails', '']
  return new SourceError('unreadable', `${directory} ${what}: ${reasonOf(error)}`, {
    path: directory,
    hint,
    cause: error,
  })
}

function mayWriteIn(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Why an entry was not written, without its path. The system names what it was written under, which nobody knows. */
export function messageOf(error: unknown, root: string): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error)
  // Of a link that was not made, `path` is what it points to.
  const paths = ['path' in error ? error.path : undefined, 'dest' in error ? error.dest : undefined]
  const isOfTarget = paths.some((path) => typeof path === 'string' && path.startsWith(root))
  if (!isOfTarget && 'path' in error) return error.message
  if (
    error.code === 'ENAMETOOLONG' &&
    isOfTarget &&
    'path' in error &&
    Buffer.byteLength(String(error.path)) >= PATH_MAX
  )
    return 'was not written: its path is longer there than the 4,095 bytes that the system takes; a tar (restore > all.tar) has no such limit'
  return `was not written: ${reasonOf(error)}`
}
