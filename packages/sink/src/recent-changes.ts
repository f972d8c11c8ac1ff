import type { ObjectInfo, Sink } from './sink.ts'

/** What the last changes of a sink replaced: for listings that come late. */
export class RecentChanges {
  readonly #sink: Sink
  readonly #most: number
  #changes: { readonly key: string; readonly before: ObjectInfo | undefined }[]

  /**
   * @param most - how many changes are remembered; nothing is asked for where it is 0
   * @param made - keys of objects that were put before, the last one last
   */
  constructor(sink: Sink, most: number, made: readonly string[]) {
    this.#sink = sink
    this.#most = most
    this.#changes = made.slice(-most).map((key) => ({ key, before: undefined }))
  }

  /** To be called before an object is replaced or deleted. */
  async record(key: string): Promise<void> {
    if (this.#most === 0) return
    const before = await this.#sink.head(key)
    this.#changes = [...this.#changes, { key, before }].slice(-this.#most)
  }

  /** A listing as it would have been before these changes. */
  async *before(prefix: string, listed: AsyncIterable<ObjectInfo>): AsyncGenerator<ObjectInfo> {
    const past = new Map<string, ObjectInfo | undefined>()
    // Of a key that was changed more than once, the first change has replaced what there was.
    for (const { key, before } of this.#changes) if (!past.has(key)) past.set(key, before)
    for await (const info of listed) if (!past.has(info.key)) yield info
    for (const [key, info] of past) if (info && key.startsWith(prefix)) yield info
  }
}
