import type { Entry } from '@pipe-backup/source'

const SLASH = 0x2f

/**
 * Takes components off the beginning of each path, as `tar --strip-components` does: with one, the name of the source. What has no more
 * components than that is left out. A hard link goes to the same file as before.
 */
export async function* stripPaths(entries: AsyncIterable<Entry>, count: number): AsyncGenerator<Entry> {
  for await (const entry of entries) {
    const path = stripped(entry.path, count)
    if (!path) continue
    if (entry.type !== 'hardlink') yield { ...entry, path }
    else {
      const linkTo = stripped(entry.linkTo, count)
      if (linkTo) yield { ...entry, path, linkTo }
    }
  }
}

function stripped(path: Uint8Array, count: number): Uint8Array | undefined {
  let from = 0
  for (let left = count; left > 0; left--) {
    const slash = path.indexOf(SLASH, from)
    if (slash < 0) return undefined
    from = slash + 1
  }
  return path.subarray(from)
}
