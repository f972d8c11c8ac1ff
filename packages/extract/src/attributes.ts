import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
import {
  ACCESS_ACL,
  type Attribute,
  CAPABILITY,
  DEFAULT_ACL,
  type EntryMetadata,
  isKeptAttribute,
  type SourceProblem,
} from '@pipe-backup/source'
import { withTextPath } from './text-path.ts'

type Library = Pick<
  typeof import('@napi-rs/xattr'),
  'getAttributeSync' | 'removeAttributeSync' | 'setAttributeSync'
>

/** So many names are reported in one line. */
const MAX_NAMES = 5

/** Attributes that could not be set for one and the same reason. */
interface Failure {
  readonly first: Uint8Array
  readonly names: Set<string>
  count: number
}

/**
 * Sets extended attributes. What can't be set is no reason to do without the file: it is counted, and reported in a line for each reason,
 * not for each file.
 */
export class AttributeWriter {
  readonly #library: Library | undefined
  readonly #privileged: boolean
  readonly #failures = new Map<string, Failure>()
  #parent: Buffer | undefined
  #parentHasDefault = false

  private constructor(library: Library | undefined, privileged: boolean) {
    this.#library = library
    this.#privileged = privileged
  }

  /** @param privileged - set those that lend out the rights of root too */
  static async load(privileged: boolean): Promise<AttributeWriter> {
    return new AttributeWriter(await import('@napi-rs/xattr').catch(() => undefined), privileged)
  }

  /**
   * Gives what is at a path its attributes: to be called after its owner is set, which takes capabilities away, and before its mode. What was made
   * just now first loses the list that it may have got from the directory it was made in.
   * @param kind - `made` for what was not there before
   * @returns false when it has a control list in the entry that it has not got
   */
  set(path: Buffer, entry: EntryMetadata & { readonly type: string }, kind: 'made' | 'kept'): boolean {
    const wanted = (entry.attributes ?? []).map((attribute) => ({
      name: Buffer.from(attribute.name).toString(),
      attribute,
    }))
    const isDirectory = entry.type === 'directory'
    if (kind === 'made' && entry.type !== 'symlink' && this.inherits(path)) {
      for (const name of isDirectory ? [ACCESS_ACL, DEFAULT_ACL] : [ACCESS_ACL])
        if (!wanted.some((one) => one.name === name)) this.#remove(path, isDirectory, name, entry)
    }
    let hasList = true
    for (const { name, attribute } of wanted) {
      if (!isKeptAttribute(name)) continue
      if (!this.#setOne(path, isDirectory, name, attribute, entry) && name === ACCESS_ACL) hasList = false
    }
    return hasList
  }

  /** Whether what is made in the directory of this path gets a control list of its own accord. */
  inherits(path: Buffer): boolean {
    const parent = path.subarray(0, path.lastIndexOf('/'))
    if (this.#parent && parent.equals(this.#parent)) return this.#parentHasDefault
    this.#parent = Buffer.from(parent)
    this.#parentHasDefault = false
    try {
      withTextPath(parent, true, (text) => {
        this.#parentHasDefault = (this.#library?.getAttributeSync(text, DEFAULT_ACL) ?? null) !== null
      })
    } catch {
      // A file system without control lists has none to hand on.
    }
    return this.#parentHasDefault
  }

  /** A line for each reason why attributes are missing. */
  *problems(): Generator<SourceProblem> {
    for (const [why, { first, names, count }] of this.#failures) {
      const named = [...names].slice(0, MAX_NAMES).join(', ')
      const more = names.size > MAX_NAMES ? ' and others' : ''
      const where = count === 1 ? '' : ` of ${count} entries, this the first`
      const message = `not restored: ${named}${more}${where}: ${why}`
      yield { code: 'unreadable', path: Buffer.from(first).toString(), message }
    }
  }

  #setOne(
    path: Buffer,
    isDirectory: boolean,
    name: string,
    { value }: Attribute,
    entry: EntryMetadata,
  ): boolean {
    const needsRoot = name === CAPABILITY || name.startsWith('trusted.')
    if (needsRoot && !this.#privileged) return this.#failed(name, entry, 'only root may set it')
    return this.#attempt(path, isDirectory, name, entry, (library, text) =>
      library.setAttributeSync(text, name, value),
    )
  }

  #remove(path: Buffer, isDirectory: boolean, name: string, entry: EntryMetadata): void {
    this.#attempt(path, isDirectory, name, entry, (library, text) => {
      if (library.getAttributeSync(text, name) !== null) library.removeAttributeSync(text, name)
    })
  }

  #attempt(
    path: Buffer,
    isDirectory: boolean,
    name: string,
    entry: EntryMetadata,
    act: (library: Library, text: string) => void,
  ): boolean {
    const library = this.#library
    if (library === undefined) return this.#failed(name, entry, 'there is no @napi-rs/xattr for this machine')
    try {
      return (
        withTextPath(path, isDirectory, (text) => act(library, text)) ||
        this.#failed(name, entry, 'a file whose name is not UTF-8 can get none')
      )
    } catch (error) {
      return this.#failed(name, entry, reasonOf(error))
    }
  }

  #failed(name: string, entry: EntryMetadata, why: string): false {
    let failure = this.#failures.get(why)
    if (!failure) {
      failure = { first: entry.path, names: new Set(), count: 0 }
      this.#failures.set(why, failure)
    }
    failure.count++
    if (failure.names.size <= MAX_NAMES) failure.names.add(name)
    return false
  }
}

/** The library gives the number of a system error in its message alone. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const errno = -Number(/\(os error (\d+)\)$/.exec(message)?.[1] ?? 0)
  return errno === 0 ? message : `${getSystemErrorMessage(errno)} (${getSystemErrorName(errno)})`
}
