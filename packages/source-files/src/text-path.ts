import { isUtf8 } from 'node:buffer'
import { closeSync, constants, openSync } from 'node:fs'
import { withPath } from './long-path.ts'

const SLASH = 0x2f
/** O_PATH, which Node does not name. Linux, all CPUs that Node runs on. */
const O_PATH = 0o10000000

/**
 * Calls `use` with a text that leads to `absolute`, for a library that takes no bytes: where the path is not UTF-8, by way of
 * /proc/self/fd. A directory can be named so in any case, other things where at least their own name is UTF-8.
 * @returns `undefined`, without a call, where there is no such text
 * @throws what `use` throws; a system error when a directory can't be opened.
 */
export function withTextPath<T>(
  absolute: Buffer,
  isDirectory: boolean,
  use: (path: string) => T,
): T | undefined {
  return withPath(absolute, (path) => {
    if (isUtf8(path)) return use(path.toString())
    const slash = path.lastIndexOf(SLASH)
    const name = path.subarray(slash + 1)
    if (isDirectory) return withDirectory(path, (directory) => use(`${directory}/.`))
    if (!isUtf8(name)) return undefined
    return withDirectory(path.subarray(0, slash), (directory) => use(`${directory}/${name.toString()}`))
  })
}

function withDirectory<T>(path: Buffer, use: (directory: string) => T): T {
  const fd = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    return use(`/proc/self/fd/${fd}`)
  } finally {
    closeSync(fd)
  }
}
