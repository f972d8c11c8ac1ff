import { constants } from 'node:fs'
import { isSystemError } from './failure.ts'
import type { FileCalls } from './file-calls.ts'
import { type Steps, wait } from './steps.ts'

// O_NOFOLLOW: a link put in the file's place is not followed. O_NONBLOCK: a FIFO put there does not hang the run.
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Opens files for reading, without touching their access time where that is allowed. */
export class Opener {
  /** Owners whose files the kernel has refused to open with O_NOATIME: only the owner and root may, see open(2). */
  readonly #refused = new Set<number>();

  /** @throws system errors, as openSync does */
  *open(absolute: Buffer, uid: number, calls: FileCalls): Steps<number> {
    if (this.#refused.has(uid)) return yield* wait(calls.open(absolute, READ))
    try {
      return yield* wait(calls.open(absolute, READ | constants.O_NOATIME))
    } catch (cause) {
      if (!isSystemError(cause) || cause.code !== 'EPERM') throw cause
      this.#refused.add(uid)
      return yield* wait(calls.open(absolute, READ))
    }
  }
}
