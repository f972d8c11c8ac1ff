import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const FILE = 'sinks.json'

/**
 * The sinks that have held this vault before, by name: one of them that is suddenly empty is rather a disk that is not mounted than a new sink.
 * @returns undefined when nothing is known: the state is new, or was lost
 */
export async function readKnownSinks(stateDirectory: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const names: unknown = JSON.parse(await readFile(join(stateDirectory, FILE), 'utf8'))
    return Array.isArray(names)
      ? new Set(names.filter((name: unknown) => typeof name === 'string'))
      : undefined
  } catch {
    return undefined
  }
}

/** Adds sinks that hold the vault now. */
export async function rememberSinks(stateDirectory: string, names: Iterable<string>): Promise<void> {
  const known = await readKnownSinks(stateDirectory)
  const all = new Set([...(known ?? []), ...names])
  if (known && all.size === known.size) return
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 })
  const file = join(stateDirectory, FILE)
  await writeFile(`${file}.new`, `${JSON.stringify([...all].sort())}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
