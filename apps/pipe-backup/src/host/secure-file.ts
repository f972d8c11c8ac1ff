import { lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file that would be replaced, or that others can read. Exit code 2: somebody has to look. */
export class SecureFileError extends Error {
  override readonly name = 'SecureFileError'
  readonly code: 'exists' | 'exposed'
  readonly hint: string | undefined

  constructor(code: 'exists' | 'exposed', message: string, hint?: string) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

/** Whether anything has this name, be it a link to nothing. */
export async function isTaken(file: string): Promise<boolean> {
  return await lstat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

/**
 * Writes a new file that only its owner can read (0600), in directories that only the owner can enter where they are
 * made (0700). Durable when it returns; nothing is left of it when it throws.
 * @throws SecureFileError `exists`: nothing is ever replaced
 */
export async function writeSecureFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST'
      ? new SecureFileError('exists', `${file} is there already; it is never replaced`)
      : error
  })
  try {
    await handle.writeFile(text)
    await handle.sync()
  } catch (error) {
    await rm(file, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  await syncDirectory(dirname(file))
}

/**
 * Writes a file of the same kind in the place of the one there is. Durable when it returns; when it throws, the old one is there.
 */
export async function replaceSecureFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`
  await rm(fresh, { force: true })
  await writeSecureFile(fresh, text)
  await rename(fresh, file)
  await syncDirectory(dirname(file))
}

/**
 * Reads a file that only its owner may read.
 * @returns `undefined` when there is none
 * @throws SecureFileError `exposed` when others can read or write it
 */
export async function readSecureFile(file: string): Promise<string | undefined> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    const { mode } = await handle.stat()
    if ((mode & 0o077) !== 0) {
      throw new SecureFileError('exposed', `${file} can be read or written by others`, `chmod 600 ${file}`)
    }
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path)
  await directory.sync()
}
