import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isObject } from './is-object.ts'

/**
 * Reads a file of this host's local state. One digit that has changed on a disk must not become a part of a snapshot, nor be believed.
 * @returns what was written, or undefined where there is nothing, or its checksum is off: it is only a cache
 */
export async function readStateFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseStateFile(text)
}

/** What is in the text of such a file; undefined where its checksum is off. */
export function parseStateFile(text: string): unknown {
  try {
    const saved: unknown = JSON.parse(text)
    return isObject(saved) && saved['sha256'] === checksumOf(saved['content']) ? saved['content'] : undefined
  } catch {
    // No JSON, or of more levels than JSON.stringify takes: nothing that was written.
    return undefined
  }
}

/** The text of such a file. @param content - what JSON can hold */
export function stateFileText(content: unknown): string {
  return `${JSON.stringify({ sha256: checksumOf(content), content })}\n`
}

/**
 * Writes a file of the local state: intact or not at all, with a checksum, mode 0600. After a power cut it is this one or the one before.
 * @param content - what JSON can hold
 * @throws the file system's error; what there is of it by then has been removed
 */
export async function writeStateFile(file: string, content: unknown): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    // Renamed before its bytes are on the disk it would be empty after a power cut, and the old one gone.
    await writeFile(`${file}.new`, stateFileText(content), { mode: 0o600, flush: true })
    await rename(`${file}.new`, file)
  } catch (error) {
    // It takes space that may be lacking.
    await rm(`${file}.new`, { force: true }).catch(() => undefined)
    throw error
  }
}

function checksumOf(content: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(content) ?? '')
    .digest('hex')
}
