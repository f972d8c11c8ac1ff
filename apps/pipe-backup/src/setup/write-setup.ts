import { rename, rm, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isTaken, writeSecureFile } from '../host/secure-file.ts'

/** What is written, and taken back again when it is disposed before it was kept. */
export interface WrittenSetup extends AsyncDisposable {
  /** Where the configuration that was there before is now. */
  readonly replaced: string | undefined
  keep(): void
}

/**
 * Writes the configuration and the files of its secrets, all of mode 0600. A configuration that is there is moved aside first; files of secrets are never replaced.
 * @param secrets - absolute paths, and what belongs there
 * @throws SecureFileError `exists`, or the system's error; nothing is left then
 */
export async function writeSetup(
  file: string,
  text: string,
  secrets: Iterable<readonly [path: string, text: string]>,
): Promise<WrittenSetup> {
  await using undo = new AsyncDisposableStack()
  const write = async (path: string, content: string): Promise<void> => {
    await writeSecureFile(path, content)
    undo.defer(() => rm(path, { force: true }))
  }
  const written = [...secrets]
  // What somebody else has put into it stays.
  for (const path of [file, ...written.map(([one]) => one)])
    for (const directory of await missingDirectories(path))
      undo.defer(() => rmdir(directory).catch(() => undefined))
  for (const [path, secret] of written) await write(path, `${secret}\n`)
  const replaced = (await isTaken(file)) ? await freePath(`${file}.old`) : undefined
  if (replaced !== undefined) {
    await rename(file, replaced)
    undo.defer(() => rename(replaced, file))
  }
  await write(file, text)
  const all = undo.move()
  let isKept = false
  return {
    replaced,
    keep: () => {
      isKept = true
    },
    [Symbol.asyncDispose]: async () => {
      if (!isKept) await all.disposeAsync()
    },
  }
}

/** The directories above a path that are not there, the outermost first. */
async function missingDirectories(path: string): Promise<readonly string[]> {
  const missing: string[] = []
  for (let directory = dirname(path); !(await isTaken(directory)); directory = dirname(directory))
    missing.unshift(directory)
  return missing
}

async function freePath(path: string): Promise<string> {
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? path : `${path}-${count}`
    if (!(await isTaken(candidate))) return candidate
  }
}
