import { discard } from '../discard.ts'

/**
 * What was fetched and is still sealed, packs and pieces of packs, up to so many bytes together with what is on its way. Its memory is freed as
 * soon as it is let go, so what is got from here is not to be used after anything was waited for.
 */
export class SealedStore {
  readonly #maxBytes: number
  readonly #held = new Map<string, Uint8Array>()
  readonly #coming = new Map<string, { readonly sizeBytes: number; readonly done: Promise<void> }>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(key: string): Uint8Array | undefined {
    const bytes = this.#held.get(key)
    if (bytes) {
      this.#held.delete(key)
      this.#held.set(key, bytes)
    }
    return bytes
  }

  /** Resolves once what is on its way under this key has come, or has not. */
  coming(key: string): Promise<void> | undefined {
    return this.#coming.get(key)?.done
  }

  /** How much is on its way. */
  get requests(): number {
    return this.#coming.size
  }

  /** Lets go what was not used for longest, and is not needed. @returns whether so many bytes have room now */
  makeRoom(sizeBytes: number, isNeeded: (key: string) => boolean): boolean {
    for (const key of this.#held.keys()) {
      if (this.#bytes + sizeBytes <= this.#maxBytes) return true
      if (!isNeeded(key)) this.delete(key)
    }
    return this.#bytes + sizeBytes <= this.#maxBytes || (this.#held.size === 0 && this.#coming.size === 0)
  }

  /** Keeps what `load` gives. @param sizeBytes - about how much that is */
  fetch(key: string, sizeBytes: number, load: () => Promise<Uint8Array | undefined>): Promise<void> {
    this.#bytes += sizeBytes
    const keep = (bytes?: Uint8Array): void => {
      this.#coming.delete(key)
      this.#bytes -= sizeBytes
      if (!bytes) return
      this.delete(key)
      this.#held.set(key, bytes)
      this.#bytes += bytes.length
    }
    const done = load().then(keep, (error: unknown) => {
      keep()
      throw error
    })
    // A caller that waits for it gets the error; there may be none.
    done.catch(() => undefined)
    this.#coming.set(key, { sizeBytes, done })
    return done
  }

  delete(key: string): void {
    const bytes = this.#held.get(key)
    if (!bytes) return
    this.#held.delete(key)
    this.#bytes -= bytes.length
    discard(bytes)
  }
}
