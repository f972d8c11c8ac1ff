import { randomBytes } from 'node:crypto'
import { lstatSync, opendirSync, rmdirSync, unlinkSync } from 'node:fs'

const SLASH = 0x2f
/** No two threads make the same names. */
const THIS_THREAD = randomBytes(4).toString('hex')
let made = 0
const STAGED_NAME = /^\.pipe-backup-(\d+)-[0-9a-f]{16}$/

/**
 * A name beside `path`, under which something is made before it is renamed to `path`: on the same file system, so that the rename replaces
 * what is there in one step. It has the number of the process, so that another one can see whether it is still needed.
 */
export function stagedName(path: Buffer): Buffer {
  const count = (made++ % 2 ** 32).toString(16).padStart(8, '0')
  const name = `.pipe-backup-${process.pid}-${THIS_THREAD}${count}`
  return Buffer.concat([path.subarray(0, path.lastIndexOf(SLASH) + 1), Buffer.from(name)])
}

/** Removes what extractions that were killed have left in a directory under staged names. What can't be removed stays. */
export function removeLeftOver(directory: Buffer): void {
  for (const name of leftOver(directory)) {
    const path = Buffer.concat([directory, Buffer.from(`/${name}`)])
    try {
      if (lstatSync(path).isDirectory()) rmdirSync(path)
      else unlinkSync(path)
    } catch {
      // It harms nobody, and the next extraction tries again.
    }
  }
}

/** Names are read one by one: a directory may have millions. */
function leftOver(directory: Buffer): string[] {
  const names: string[] = []
  try {
    using entries = opendirSync(directory)
    for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
      const pid = STAGED_NAME.exec(entry.name)?.[1]
      if (pid !== undefined && !isOtherProcess(Number(pid))) names.push(entry.name)
    }
  } catch {
    // One that may be written in, and not listed.
  }
  return names
}

/** In a container a killed process and the next one often have the same number. */
function isOtherProcess(pid: number): boolean {
  if (pid === process.pid || pid === 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
