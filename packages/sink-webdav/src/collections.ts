import { SinkError } from '@pipe-backup/sink'
import type { Dav, DavOptions } from './dav.ts'

/** Of those that are known to be there, so many are remembered. */
const KNOWN = 4096

/** Makes the collections that objects are in. One that several want at once is made once; another machine may make it too. */
export class Collections {
  readonly #dav: Dav
  readonly #known = new Set<string>()
  readonly #making = new Map<string, Promise<void>>()

  constructor(dav: Dav) {
    this.#dav = dav
  }

  /** Makes a collection below the sink's own, and those above it. @throws SinkError */
  async make(path: string, options: DavOptions): Promise<void> {
    while (path !== '' && !this.#known.has(path)) {
      const making = this.#making.get(path)
      if (making) {
        // If it fails, or is given up by who makes it, it is our turn.
        await making.catch(() => undefined)
        options.signal?.throwIfAborted()
        continue
      }
      const mine = this.#make(path, options).finally(() => this.#making.delete(path))
      this.#making.set(path, mine)
      await mine
    }
  }

  /** One that was thought to be there is not. */
  forget(path: string): void {
    this.#known.delete(path)
  }

  async #make(path: string, options: DavOptions): Promise<void> {
    let made = await this.#try(path, options)
    if (made === 'no-parent') {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
      this.#known.delete(parent)
      if (parent !== '') await this.make(parent, options)
      made = await this.#try(path, options)
    }
    if (made === 'no-parent') {
      const what = 'the collection that it belongs to can’t be made'
      throw new SinkError('protocol', what, { sink: this.#dav.sink, key: options.key })
    }
    if (this.#known.size >= KNOWN) this.#known.clear()
    this.#known.add(path)
  }

  async #try(path: string, options: DavOptions): Promise<'made' | 'there' | 'no-parent'> {
    try {
      return await this.#dav.makeCollection(path, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      // Servers that look first and make then fail in their own ways when two ask at once.
      const there = await this.#dav.info(path, options).catch(() => undefined)
      if (there?.isCollection) return 'there'
      throw error
    }
  }
}

/** Makes the sink's own collection, and those above it on the server. @throws SinkError */
export async function makeBase(dav: Dav, options: DavOptions, above = 0): Promise<void> {
  const up = '../'.repeat(above)
  const path = new URL(up, dav.base)
  const parentOf = { ...options }
  const made = await dav.makeCollection(up === '' ? '' : up.slice(0, -1), parentOf)
  if (made !== 'no-parent' || path.pathname === '/') return
  await makeBase(dav, options, above + 1)
  await dav.makeCollection(up === '' ? '' : up.slice(0, -1), parentOf)
}
