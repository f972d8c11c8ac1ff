import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes objects into the directory that a server serves. @returns what was made below it, for whoever is to own that */
export function writeObjects(
  directory: string,
  objects: Iterable<{ readonly key: string; readonly bytes: Uint8Array }>,
): readonly string[] {
  const made = new Set<string>()
  for (const { key, bytes } of objects) {
    const names = key.split('/')
    const path = join(directory, key)
    // Only ever downwards from the directory: what is above it is not ours to give away.
    for (let depth = 1; depth < names.length; depth++) made.add(join(directory, ...names.slice(0, depth)))
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, bytes)
    made.add(path)
  }
  return [...made]
}
