import type { SourceProblem } from '@pipe-backup/source'
import { isSystemError, reasonOf } from './target-errors.ts'

type Part = 'owner' | 'mode' | 'modification time'

/** A part of the metadata that the file system, or the rights of whoever extracts, would not have: no reason to do without the bytes. */
export interface Refusal {
  readonly what: Part
  readonly why: string
}

/** An account that maps none to the id, a file server that decides by itself, a container without the capability, a file system without the call. */
const REFUSED = new Set(['EPERM', 'EACCES', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'])

/** Sets a part of the metadata. @returns why it was refused; undefined when it was not @throws the system's other errors */
export function attempt(what: Part, set: () => void): Refusal | undefined {
  try {
    set()
    return undefined
  } catch (error) {
    if (!isSystemError(error) || !REFUSED.has(error.code)) throw error
    return { what, why: reasonOf(error) }
  }
}

/** A mode without its set-id bits: without the owner they would lend out the rights of whoever extracts. */
export function withoutSetIds(mode: number): number {
  return mode & 0o1777
}

/** Counts what was refused, for a line each. */
export class Refusals {
  readonly #found = new Map<string, { readonly first: string; count: number }>()

  /** @param path - of the entry */
  add(path: Uint8Array, { what, why }: Refusal): void {
    const reason = `the ${what}, ${why}`
    const found = this.#found.get(reason)
    if (found) found.count++
    else this.#found.set(reason, { first: Buffer.from(path).toString(), count: 1 })
  }

  /** A line for each part and reason. */
  *problems(): Generator<SourceProblem> {
    for (const [reason, { first, count }] of this.#found) {
      const where = count === 1 ? '' : `; of ${count} entries, this the first`
      yield { code: 'unreadable', path: first, message: `not restored: ${reason}${where}` }
    }
  }
}
