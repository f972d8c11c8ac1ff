import { isUtf8 } from 'node:buffer'
import { closeSync, constants, openSync } from 'node:fs'

const SLASH = 0x2f
/** O_PATH, which Node does not name. Linux, all CPUs that Node runs on. */
const O_PATH = 0o10000000

/**
 * Calls `use` with a text that leads to `path`, for a library that takes no bytes: where the path is not UTF-8, by way of
 * /proc/self/fd. A directory can be named so in any case, other things where at least their own name is UTF-8.
 * @returns whether there is such a text
 * @throws what `use` throws; a system error when a directory can't be opened.
 */
export function withTextPath(path: Buffer, isDirectory: boolean, use: (path: string) => void): boolean {
  if (isUtf8(path)) {
    use(path.toString())
    return true
  }
  const slash = path.lastIndexOf(SLASH)
  const name = path.subarray(slash + 1)
  if (!isDirectory && !isUtf8(name)) return false
  const fd = openSync(
    isDirectory ? path : path.subarray(0, slash),
    O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW,
  )
  try {
    use(`/proc/self/fd/${fd}/${isDirectory ? '.' : name.toString()}`)
    return true
  } finally {
    closeSync(fd)
  }
}
