import { join } from 'node:path'
import { isObject } from '../is-object.ts'
import { readStateFile, writeStateFile } from '../state-file.ts'
import type { DamageKind } from './damage.ts'

/** What is remembered to be wrong with an object on a sink. */
interface KnownDamage {
  readonly why: DamageKind
  /** When it was found out, ISO 8601. */
  readonly since: string
}

interface SinkPage {
  readonly damaged: Map<string, KnownDamage>
  /** Where the next sample begins: a part of all names, from 0 to 1. */
  cursor: number
}

type Pages = Map<string, SinkPage>

/**
 * What this host's verifications have found, by sink and key: until it has been healed nothing rests on such an object. Without this
 * book nothing is lost: the next verification finds it again.
 */
export class DamageBook {
  readonly #file: string
  #pages: Pages
  /** Since it was read: another process may write to it too. */
  #changes: ((pages: Pages) => void)[] = []

  /** Reads the book of a state directory. One that is damaged is begun again. */
  static async open(stateDirectory: string): Promise<DamageBook> {
    const file = join(stateDirectory, 'damage.json')
    return new DamageBook(file, await readPages(file))
  }

  private constructor(file: string, pages: Pages) {
    this.#file = file
    this.#pages = pages
  }

  of(sink: string): ReadonlyMap<string, KnownDamage> {
    return this.#pages.get(sink)?.damaged ?? new Map<string, KnownDamage>()
  }

  cursor(sink: string): number {
    return this.#pages.get(sink)?.cursor ?? 0
  }

  setCursor(sink: string, cursor: number): void {
    this.#change((pages) => {
      pageOf(pages, sink).cursor = cursor
    })
  }

  add(sink: string, key: string, why: DamageKind, now: Date): void {
    this.#change((pages) => {
      const { damaged } = pageOf(pages, sink)
      damaged.set(key, { why, since: damaged.get(key)?.since ?? now.toISOString() })
    })
  }

  clear(sink: string, key: string): void {
    if (this.of(sink).has(key)) this.#change((pages) => pageOf(pages, sink).damaged.delete(key))
  }

  /** Writes the book, where it has changed, mode 0600. A full disk is no reason for what was done otherwise to have failed. */
  async save(): Promise<void> {
    if (this.#changes.length === 0) return
    await this.#write().catch(() => undefined)
  }

  async #write(): Promise<void> {
    this.#pages = await readPages(this.#file)
    for (const change of this.#changes.splice(0)) change(this.#pages)
    const sinks: Record<string, object> = {}
    for (const [sink, { damaged, cursor }] of this.#pages)
      sinks[sink] = { cursor, damaged: Object.fromEntries<KnownDamage>(damaged) }
    await writeStateFile(this.#file, { version: 1, sinks })
  }

  #change(change: (pages: Pages) => void): void {
    change(this.#pages)
    this.#changes.push(change)
  }
}

function pageOf(pages: Pages, sink: string): SinkPage {
  let page = pages.get(sink)
  if (!page) {
    page = { damaged: new Map(), cursor: 0 }
    pages.set(sink, page)
  }
  return page
}

async function readPages(file: string): Promise<Pages> {
  const pages: Pages = new Map()
  const book = await readStateFile(file)
  if (!isObject(book) || book['version'] !== 1 || !isObject(book['sinks'])) return pages
  for (const [sink, saved] of Object.entries(book['sinks'])) {
    if (!isObject(saved)) continue
    const { cursor, damaged } = saved
    const page = pageOf(pages, sink)
    if (typeof cursor === 'number' && cursor >= 0 && cursor < 1) page.cursor = cursor
    for (const [key, damage] of Object.entries(isObject(damaged) ? damaged : {})) {
      if (!isObject(damage)) continue
      const { why, since } = damage
      if ((why === 'missing' || why === 'corrupt') && typeof since === 'string')
        page.damaged.set(key, { why, since })
    }
  }
  return pages
}
