import { randomBytes } from 'node:crypto'
import { type Account, isWithin, nameOf, Refused, type Stored } from './account.ts'
import { tagged } from './api-error.ts'
import { metadataOf } from './metadata.ts'

interface Listing {
  readonly folder: string
  readonly recursive: boolean
  readonly limit: number
  /** What is still to be shown of what there was at the start. */
  readonly rest: readonly Stored[]
  /** The changes up to this one are shown, once the rest is. */
  readonly changes: number
}

interface ListOptions {
  readonly path: string
  readonly recursive: boolean
  readonly limit: number | undefined
}

/** `list_folder` and its cursors, which go on with what has changed when all has been shown. */
export class Listings {
  readonly #account: Account
  readonly #maxEntries: number
  readonly #cursors = new Map<string, Listing | 'reset'>()

  constructor(account: Account, maxEntries: number) {
    this.#account = account
    this.#maxEntries = maxEntries
  }

  /** @throws Refused `LookupError` */
  start({ path, recursive, limit = 2000 }: ListOptions): object {
    const folder = path.toLowerCase()
    if (path !== '' && this.#account.lookUp(path).tag === 'file') throw new Refused(tagged('not_folder'))
    return this.#page({
      folder,
      recursive,
      limit: Math.min(limit, this.#maxEntries),
      rest: this.#account.below(folder).filter(({ path: at }) => isShown(at, folder, recursive)),
      changes: this.#account.changeCount,
    })
  }

  /** @throws Refused `reset`; undefined for a cursor that is none */
  continue(cursor: string): object | undefined {
    const listing = this.#cursors.get(cursor)
    if (listing === 'reset') throw new Refused(tagged('reset'))
    return listing && this.#page(listing)
  }

  reset(): void {
    for (const cursor of this.#cursors.keys()) this.#cursors.set(cursor, 'reset')
  }

  #page(listing: Listing): object {
    const { folder, recursive, limit } = listing
    const shown = listing.rest.slice(0, limit)
    let next: Listing = { ...listing, rest: listing.rest.slice(limit) }
    const entries: object[] = shown.map((stored) => ({ '.tag': stored.tag, ...metadataOf(stored) }))
    if (listing.rest.length === 0) {
      const changed = this.#account.changesSince(listing.changes)
      next = { ...next, changes: this.#account.changeCount }
      for (const path of changed.filter((at) => isShown(at, folder, recursive))) {
        const stored = this.#account.find(path)
        entries.push(
          stored
            ? { '.tag': stored.tag, ...metadataOf(stored) }
            : { '.tag': 'deleted', name: nameOf(path), path_lower: path, path_display: path },
        )
      }
    }
    const cursor = randomBytes(40).toString('base64url')
    this.#cursors.set(cursor, next)
    const hasMore = next.rest.length > 0 || next.changes < this.#account.changeCount
    return { entries, cursor, has_more: hasMore }
  }
}

/** A recursive listing shows the folder itself too, but for the root. */
function isShown(path: string, folder: string, recursive: boolean): boolean {
  const lower = path.toLowerCase()
  if (!isWithin(folder, lower)) return false
  return recursive || (lower !== folder && !lower.slice(folder.length + 1).includes('/'))
}
