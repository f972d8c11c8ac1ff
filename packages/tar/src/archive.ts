import { once } from 'node:events'
import type { Entry } from '@pipe-backup/source'
import type { Pack } from 'tar-stream'
import { paxRecords } from './pax.ts'
import { paxHeader, type TarHeader, tarHeader } from './tar-header.ts'

/** Adds entries to tar-stream's pack, one after the other, no faster than it is read. */
export class Archive {
  readonly #pack: Pack
  readonly #closed: AbortSignal

  /** @param closed - fires when the pack is read no more: what waits for it then rejects */
  constructor(pack: Pack, closed: AbortSignal) {
    this.#pack = pack
    this.#closed = closed
  }

  /** @param body - of a file: as many bytes as its `size` says */
  async add(entry: Entry, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> = []): Promise<void> {
    const name = await this.#addRecords(entry)
    await this.#add(tarHeader(entry, name), body)
  }

  /** The pax records before an entry. They are bytes, where tar-stream's own are strings: a name that is not UTF-8 would be lost. */
  async #addRecords(entry: Entry): Promise<Uint8Array> {
    const name = entry.type === 'directory' ? Buffer.concat([entry.path, Buffer.from('/')]) : entry.path
    const records = paxRecords(entry, name)
    const header = paxHeader(records.length)
    // tar-stream refuses bytes for a header of this type, and looks at the type again when it writes the header.
    const done = this.#add(header, [records])
    Object.assign(header, { type: 'pax-header' })
    await done
    return name
  }

  async #add(header: TarHeader, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const entry = this.#pack.entry(header, (error) => (error ? reject(error) : resolve()))
    // What ends the pack ends the entry, and is known where the pack is read; the promise is waited for below, and can fail before.
    entry.on('error', () => undefined)
    promise.catch(() => undefined)
    for await (const piece of body)
      if (!entry.write(piece)) await once(entry, 'drain', { signal: this.#closed })
    entry.end(null)
    await promise
  }
}
