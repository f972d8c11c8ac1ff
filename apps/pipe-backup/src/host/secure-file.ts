import { link, lstat, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** What file systems without hard links answer: FAT and exFAT EPERM, network shares and FUSE the others. */
const NO_LINKS: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

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
 * made (0700). Durable when it returns; nothing is left of it when it throws, and it is whole whenever it has its name.
 * @throws SecureFileError `exists`: nothing is ever replaced
 */
export async function writeSecureFile(file: string, text: string): Promise<void> {
  const staged = await stage(file, text)
  try {
    await publish(staged, file)
  } finally {
    await rm(staged, { force: true })
  }
  await syncDirectory(dirname(file))
}

/**
 * Writes a file of the same kind in the place of the one there is. Durable when it returns; when it throws, the old one is there.
 */
export async function replaceSecureFile(file: string, text: string): Promise<void> {
  await rename(await stage(file, text), file)
  await syncDirectory(dirname(file))
}

/** Writes it beside its place. The name is always the same: what a killed process has left is replaced. */
async function stage(file: string, text: string): Promise<string> {
  const directory = dirname(file)
  await makeDirectory(directory)
  const staged = join(directory, `.${basename(file)}.pipe-backup-new`)
  await rm(staged, { force: true })
  try {
    await writeFile(staged, text, { flag: 'wx', mode: 0o600, flush: true })
  } catch (error) {
    await rm(staged, { force: true })
    throw error
  }
  return staged
}

/** A link never replaces. Where the file system has none, it is looked first. */
async function publish(staged: string, file: string): Promise<void> {
  try {
    await link(staged, file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST' || (await isTaken(file)))
      throw new SecureFileError('exists', `${file} is there already; it is never replaced`)
    if (!NO_LINKS.has(code)) throw error
    await rename(staged, file)
  }
}

/** What a directory is made in must be on the disk too, or a power cut takes it with all that is in it. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = directory; made.length >= first.length; made = dirname(made))
    await syncDirectory(dirname(made))
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
