import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isCode } from './local-errors.ts'

/**
 * Makes a directory and those that it is in, for nobody else to look into. Node's own way never ends where a directory is there and answers
 * that there is none to what is made in it, as /proc and automounters do (seen with Node 24.21).
 * @returns those that were made, the innermost first
 * @throws system errors
 */
export async function makeDirectories(path: string): Promise<string[]> {
  try {
    return (await makeOne(path)) ? [path] : []
  } catch (error) {
    if (!isCode(error, 'ENOENT') || dirname(path) === path) throw error
  }
  const above = await makeDirectories(dirname(path))
  return (await makeOne(path)) ? [path, ...above] : above
}

/** @returns false where it is there */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 })
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}
