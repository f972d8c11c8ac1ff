import { setTimeout as pause } from 'node:timers/promises'
import type { SinkError, SinkOptions } from '@pipe-backup/sink'
import type { Dav, DavOptions } from '@pipe-backup/sink-webdav'

/** A move that the server may have done, or may still be at. */
export interface Unsettled {
  /** Where it is gone when it was moved: what is at `to` may be older, where that is no temporary name. */
  readonly from?: string | undefined
  readonly to: string
  readonly key: string
  readonly sizeBytes: number
  /** What came instead of an answer. */
  readonly error: SinkError
  readonly options: SinkOptions
}

const FIRST_MS = 250
const MAX_MS = 10_000
/** What is no 504 has most likely not been done: it is not waited for longer. */
const UNLIKELY_MS = 20_000

/**
 * A MOVE that assembles gigabytes takes longer than proxies wait (504), and the server goes on with it; meanwhile all
 * else is reported 423. So the file is looked for, and the MOVE is never sent again.
 * @see https://github.com/nextcloud/server/issues/17992
 */
export class Settling {
  readonly #files: Dav
  readonly #longestMs: number

  constructor(files: Dav, longestMs: number) {
    this.#files = files
    this.#longestMs = longestMs
  }

  /** @returns whether the file is there, whole, after all. @throws the signal's reason */
  async wait({ from, to, key, sizeBytes, error, options }: Unsettled): Promise<boolean> {
    const { signal, onBytes } = options
    const longestMs = Math.min(this.#longestMs, error.code === 'timeout' ? this.#longestMs : UNLIKELY_MS)
    const about = { key, signal }
    const until = performance.now() + longestMs
    for (let waitMs = FIRST_MS; ; waitMs = Math.min(MAX_MS, waitMs * 2)) {
      const isDone = await this.#isMoved(from, to, sizeBytes, about).catch(() => false)
      signal?.throwIfAborted()
      if (isDone) return true
      const leftMs = until - performance.now()
      if (leftMs <= 0) return false
      // The server is heard of, however long it takes: who watches for silence shall know.
      await onBytes?.(0)
      await pause(Math.min(waitMs, leftMs), undefined, { signal })
    }
  }

  async #isMoved(
    from: string | undefined,
    to: string,
    sizeBytes: number,
    about: DavOptions,
  ): Promise<boolean> {
    if ((await this.#files.info(to, about))?.sizeBytes !== sizeBytes) return false
    return from === undefined || (await this.#files.info(from, about)) === undefined
  }
}
