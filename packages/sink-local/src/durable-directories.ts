import { open } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The directories of a sink that a power cut leaves where they are. One that is there need not be on the disk yet: whoever made it may be at it in
 * this moment, or was killed before it was.
 */
export class DurableDirectories {
  readonly #root: string
  readonly #synced = new Map<string, Promise<void>>()

  /** @param root - is on the disk */
  constructor(root: string) {
    this.#root = root
  }

  /** Sees to it, once for each, that a directory that is there stays there, and all that it is in. */
  async ensure(directory: string): Promise<void> {
    if (directory === this.#root) return
    let syncing = this.#synced.get(directory)
    if (!syncing) {
      syncing = this.#sync(dirname(directory))
      this.#synced.set(directory, syncing)
    }
    try {
      await syncing
    } catch (error) {
      this.#synced.delete(directory)
      throw error
    }
  }

  async #sync(parent: string): Promise<void> {
    await syncDirectory(parent)
    await this.ensure(parent)
  }
}

/** What names a directory has is on the disk only then. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
