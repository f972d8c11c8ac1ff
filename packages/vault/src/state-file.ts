import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isObject } from './is-object.ts'

/**
 * Reads a file of this host's local state. One digit that has changed on a disk must not become a part of a snapshot, nor be believed.
 * @returns what was written, or undefined where there is nothing, or its checksum is off: it is only a cache
 */
export async function readStateFile(file: string): Promise<unknown> {
  const saved: unknown = await readFile(file, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  if (!isObject(saved) || saved['sha256'] !== checksumOf(saved['content'])) return undefined
  return saved['content']
}

/**
 * Writes a file of the local state: intact or not at all, with a checksum, mode 0600.
 * @param content - what JSON can hold
 * @throws the file system's error; what there is of it by then has been removed
 */
export async function writeStateFile(file: string, content: unknown): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(`${file}.new`, `${JSON.stringify({ sha256: checksumOf(content), content })}\n`, {
      mode: 0o600,
    })
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
