import { constants } from 'node:fs'
import type { FileCalls } from './file-calls.ts'

export const CACHE_TAG = 'CACHEDIR.TAG'

/** The first bytes of a valid tag: https://bford.info/cachedir/ */
const SIGNATURE = Buffer.from('Signature: 8a477f597d28d172789f06886806bc55')

/** Whether this file is a valid tag. One that can't be read is none: better a cache too many than a file too few. */
export async function isCacheTag(absolute: Buffer, calls: FileCalls): Promise<boolean> {
  let fd: number | undefined
  try {
    fd = await calls.open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const head = Buffer.alloc(SIGNATURE.length)
    return (await calls.read(fd, head, head.length)) === head.length && head.equals(SIGNATURE)
  } catch {
    return false
  } finally {
    if (fd !== undefined) await calls.close(fd)
  }
}
