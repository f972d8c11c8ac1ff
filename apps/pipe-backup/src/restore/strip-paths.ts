import type { Entry, SourceProblem } from '@pipe-backup/source'

const SLASH = 0x2f

/** What became of the entries whose paths were shortened. */
export interface Stripped {
  /** Those that have no more components than are taken off: directories, and all others. */
  directories: number
  files: number
  /** That have become another one's path. */
  problems: number
}

/**
 * Takes components off the beginning of each path, as `tar --strip-components` does: with one, the name of the source. What has no more
 * components than that is left out. A hard link goes to the same file as before.
 * @param stripped - counts
 * @param onProblem - given what becomes the path of another entry that came before, and is left out, as it would replace that; without it, it is not
 */
export async function* stripPaths(
  entries: AsyncIterable<Entry>,
  count: number,
  stripped: Stripped,
  onProblem: ((problem: SourceProblem) => void) | undefined,
): AsyncGenerator<Entry> {
  const given = new Set<string>()
  for await (const entry of entries) {
    const path = without(entry.path, count)
    if (!path) {
      if (entry.type === 'directory') stripped.directories++
      else stripped.files++
      continue
    }
    if (onProblem && entry.type !== 'directory') {
      const name = Buffer.from(path).toString('latin1')
      if (given.has(name)) {
        stripped.problems++
        const message = `not restored: another entry becomes ${Buffer.from(path).toString()} by --strip ${count}, too`
        onProblem({ code: 'unreadable', path: Buffer.from(entry.path).toString(), message })
        continue
      }
      given.add(name)
    }
    if (entry.type !== 'hardlink') yield { ...entry, path }
    else {
      const linkTo = without(entry.linkTo, count)
      if (linkTo) yield { ...entry, path, linkTo }
      else stripped.files++
    }
  }
}

function without(path: Uint8Array, count: number): Uint8Array | undefined {
  let from = 0
  for (let left = count; left > 0; left--) {
    const slash = path.indexOf(SLASH, from)
    if (slash < 0) return undefined
    from = slash + 1
  }
  return path.subarray(from)
}
