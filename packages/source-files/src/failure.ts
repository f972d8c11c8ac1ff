import { getSystemErrorMessage } from 'node:util'
import { type ReadContext, SourceError, type SourceErrorCode } from '@pipe-backup/source'
import { displayPath } from './display-path.ts'

/** Why one path could not be taken: without the path, so that it makes both a report and an error. */
export interface Failure {
  readonly code: SourceErrorCode
  readonly message: string
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** Another directory stands where the walk found its names. */
export const MIXED: Failure = {
  code: 'changed',
  message:
    'another directory was put in its place while it was walked: what was taken may be a mixture of both',
}

/** Something else stands where the walk saw a file or a directory. */
export function replaced(what: string, cause?: unknown): Failure {
  return {
    code: 'vanished',
    message: `something else has taken the place of this ${what} since it was listed`,
    cause,
  }
}

/**
 * The one place that knows system errors.
 * @param act - what was tried, as in "not listed".
 * @throws the cause itself when it is no system error: a bug must not pass for an unreadable file.
 */
export function toFailure(cause: unknown, act: string): Failure {
  if (!isSystemError(cause)) throw cause
  const message = `${act}: ${getSystemErrorMessage(cause.errno)} (${cause.code})`
  switch (cause.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ESTALE':
      return { code: 'vanished', message, cause }
    case 'EACCES':
    case 'EPERM':
      return { code: 'unreadable', message, cause, hint: 'Run as a user who may read it, or exclude it.' }
    case 'EMFILE':
    case 'ENFILE':
      return { code: 'unreadable', message, cause, hint: 'Raise the limit of open files.' }
    default:
      return { code: 'unreadable', message, cause }
  }
}

/** @param path - in the form of an entry's path. */
export function toSourceError(failure: Failure, path: Uint8Array): SourceError {
  const shown = displayPath(path)
  const { code, message, hint, cause } = failure
  return new SourceError(code, `${shown}: ${message}`, {
    path: shown,
    hint,
    cause,
  })
}

/** @throws SourceError when nobody listens. */
export function report(failure: Failure, path: Uint8Array, onProblem: ReadContext['onProblem']): void {
  if (onProblem === undefined) throw toSourceError(failure, path)
  onProblem({ code: failure.code, path: displayPath(path), message: failure.message })
}

export function isSystemError(
  cause: unknown,
): cause is Error & { readonly code: string; readonly errno: number } {
  return cause instanceof Error && 'code' in cause && 'errno' in cause && typeof cause.errno === 'number'
}
