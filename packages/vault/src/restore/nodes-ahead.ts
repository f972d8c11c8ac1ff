import type { ReadsChunks } from './walk-manifest.ts'

/** Hides what a request waits for, where a thousand snapshots have a node each, or a directory a thousand nodes. */
export const NODES_AHEAD = 8

/** Reads nodes before they are asked for. */
export class NodesAhead implements ReadsChunks {
  readonly #chunks: ReadsChunks
  readonly #coming = new Map<string, Promise<Uint8Array>>()

  constructor(chunks: ReadsChunks) {
    this.#chunks = chunks
  }

  /** Begins to read a node that will be asked for, unless many are on their way already. */
  expect(id: Uint8Array): void {
    const name = nameOf(id)
    if (this.#coming.size >= NODES_AHEAD || this.#coming.has(name)) return
    const coming = this.#chunks.read(id)
    // Who asks for it is given the error; nobody may.
    coming.catch(() => undefined)
    this.#coming.set(name, coming)
  }

  read(id: Uint8Array): Promise<Uint8Array> {
    const name = nameOf(id)
    const coming = this.#coming.get(name)
    this.#coming.delete(name)
    return coming ?? this.#chunks.read(id)
  }

  /** What was expected, and is not asked for after all, is forgotten. */
  forget(): void {
    this.#coming.clear()
  }
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString('latin1')
}
