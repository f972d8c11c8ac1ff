import type { Leaf } from './leaves.ts'
import type { ReadsChunks } from './walk-manifest.ts'
import { walkExtents } from './walk-manifest.ts'

/** So many leaves are opened before they are restored; more of entries without bytes would only be held. */
export const LEAVES_AHEAD = 4

/** A file's place in its manifest. */
export interface Place {
  readonly leaf: Leaf
  readonly index: number
}

/** Which chunks the files of a manifest use, in the order in which they are restored, from wherever the restore has come to. */
export class ReadPlan {
  readonly #chunks: ReadsChunks
  #reached: Place
  readonly #ids: AsyncGenerator<Buffer | undefined>

  constructor(chunks: ReadsChunks, from: Place) {
    this.#chunks = chunks
    this.#reached = from
    this.#ids = this.#walk(from.leaf)
  }

  /** The restore has come to this file: those before it are not wanted any more. */
  reach(place: Place): void {
    this.#reached = place
  }

  /** The id of the next chunk; `wait` while it is too far ahead, undefined after the last. */
  async next(): Promise<Buffer | 'wait' | undefined> {
    const step = await this.#ids.next()
    return step.done ? undefined : (step.value ?? 'wait')
  }

  async *#walk(leaf: Leaf | undefined): AsyncGenerator<Buffer | undefined> {
    for (; leaf; leaf = await leaf.next()) {
      while (leaf.number > this.#reached.leaf.number + LEAVES_AHEAD) yield undefined
      const { entries } = leaf
      for (const [index, entry] of entries.entries()) {
        if (entry.type !== 'file' || this.#isPassed({ leaf, index })) continue
        try {
          for await (const extents of walkExtents(this.#chunks, entry.content)) {
            for (let i = 0; i < extents.count && !this.#isPassed({ leaf, index }); i++) yield extents.id(i)
          }
        } catch {
          // Who restores this file finds out what is wrong; the others are read all the same.
        }
      }
    }
  }

  #isPassed({ leaf, index }: Place): boolean {
    const reached = this.#reached
    return leaf.number < reached.leaf.number || (leaf === reached.leaf && index < reached.index)
  }
}
