import { access, constants, lstat, opendir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { answerWithin } from '../answer-within.ts'
import { escapeText } from '../terminal/escape-bytes.ts'
import type { Finding } from './finding.ts'

/** A file system whose server is gone does not answer at all. */
export const ANSWER_MS = 10_000

/** Whether a path is there, and a file can be opened or a directory listed. */
export async function checkReadable(path: string): Promise<Finding> {
  const shown = escapeText(path)
  try {
    await answerWithin(ANSWER_MS, tryPath(path))
    return { state: 'ok', message: `${shown} is there, and can be read` }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT')
      return { state: 'failure', message: `${shown} is not there`, hint: 'Correct `paths`.' }
    if (code === 'ETIMEDOUT')
      return {
        state: 'failure',
        message: `${shown} does not answer`,
        hint: 'Is the server, or the program, behind its file system gone?',
      }
    const hint = 'Run as a user who may read it.'
    return { state: 'failure', message: `${shown} can't be read (${code})`, hint }
  }
}

async function tryPath(path: string): Promise<void> {
  const found = await lstat(path)
  if (found.isDirectory()) await (await opendir(path)).close()
  else if (found.isFile()) await access(path, constants.R_OK)
}

/** Whether a program is there to be run. It is not run. */
export async function checkProgram(program: string): Promise<Finding> {
  const candidates = program.includes('/')
    ? [program]
    : (process.env['PATH'] ?? '')
        .split(delimiter)
        .filter((directory) => directory !== '')
        .map((directory) => join(directory, program))
  for (const candidate of candidates) {
    const isThere = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return { state: 'ok', message: `${escapeText(candidate)} can be run` }
  }
  const where = program.includes('/') ? 'is not there, or not executable' : 'is not on the PATH'
  return { state: 'failure', message: `${escapeText(program)} ${where}` }
}
