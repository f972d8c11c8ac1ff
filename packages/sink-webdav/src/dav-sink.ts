import { setTimeout as pause } from 'node:timers/promises'
import {
  checkPublished,
  createSink,
  KeyLock,
  type ObjectInfo,
  type ObjectRange,
  type PutOptions,
  type ReadOptions,
  removeEach,
  type Sink,
  SinkError,
  type SinkOptions,
  type SinkProvider,
  type UploadBody,
} from '@pipe-backup/sink'
import { Collections } from './collections.ts'
import type { Dav, DavEntry, DavOptions } from './dav.ts'
import { listObjects, objectOf, temporaryName } from './list-objects.ts'
import { REPLACING_MS, readRange } from './read-range.ts'
import { Shared } from './shared.ts'
import type { Uploads, UploadTo } from './uploads.ts'
import { toSinkError } from './webdav-errors.ts'

/** Where the objects are, and how they get there. */
export interface DavPlace {
  readonly dav: Dav
  readonly uploads: Uploads
  /** Sent with requests that delete or replace an object. */
  readonly deleteHeaders?: Readonly<Record<string, string>> | undefined
  /** Sent with requests that delete what is temporary. */
  readonly discardHeaders?: Readonly<Record<string, string>> | undefined
  /**
   * Asked after a MOVE without a clear answer, such as a proxy's 504.
   * @returns whether the server has done it after all
   */
  readonly settle?: ((move: UnsettledMove) => Promise<boolean>) | undefined
}

/** A MOVE that may have been done, or may still be. */
export interface UnsettledMove {
  readonly from: string
  readonly to: string
  readonly key: string
  readonly sizeBytes: number
  readonly error: SinkError
  readonly options: SinkOptions
}

export interface DavSinkOptions {
  readonly name: string
  /** Finds the place, at the first request. A failure is asked again at the next. @param signal - fires when nobody waits any more */
  readonly open: (signal: AbortSignal) => Promise<DavPlace>
  readonly close: () => void
}

interface Opened extends DavPlace {
  readonly collections: Collections
}

const QUOTA = '{DAV:}quota-available-bytes'
/** How long a server may take to tidy up after a failure. */
const DISCARD_MS = 3000

/**
 * A sink on a WebDAV collection: an object is sent to a temporary name beside its own, checked, and moved. What kind of
 * server it is, and so how bytes are sent and checked, is for `open` to say.
 */
export function davSink(options: DavSinkOptions): Sink {
  return createSink(new DavProvider(options))
}

class DavProvider implements SinkProvider {
  readonly name: string
  readonly appendOnly: boolean = false
  readonly #options: DavSinkOptions
  readonly #place: Shared<Opened>
  readonly #lock = new KeyLock()
  /** Failures of a MOVE that the server may still be at. */
  readonly #unsettled = new WeakSet<Error>()

  constructor(options: DavSinkOptions) {
    this.name = options.name
    this.#options = options
    this.#place = new Shared(async (signal) => {
      const place = await options.open(signal)
      return { ...place, collections: new Collections(place.dav) }
    })
  }

  async upload(key: string, body: UploadBody, options: PutOptions): Promise<void> {
    const place = await this.#place.get(options.signal)
    const to = await this.#temporary(place, key, options)
    try {
      const sizeBytes = await place.uploads.upload(to, body, options)
      await this.#publish(place, to, sizeBytes, options)
    } catch (error) {
      await this.#discard(place, to, error)
      throw error
    }
  }

  async read(key: string, { offset, length, signal }: ReadOptions): Promise<ObjectRange> {
    const { dav } = await this.#place.get(signal)
    return await readRange(dav, key, key, { offset, length, signal })
  }

  async head(key: string, options: SinkOptions): Promise<ObjectInfo | undefined> {
    const { dav } = await this.#place.get(options.signal)
    const entry = await this.#find(dav, key, aboutOf(key, options))
    return entry && objectOf(this.name, key, entry)
  }

  async *list(folder: string, { signal }: SinkOptions): AsyncGenerator<ObjectInfo> {
    yield* listObjects(await this.#place.get(signal), folder, { signal })
  }

  remove(keys: readonly string[], options: SinkOptions): Promise<ReadonlyMap<string, SinkError>> {
    return removeEach(this, keys, (key) => this.#remove(key, options), options)
  }

  toSinkError(cause: unknown, key?: string): unknown {
    return toSinkError(cause, { sink: this.name, key })
  }

  async close(): Promise<void> {
    this.#options.close()
  }

  async #remove(key: string, options: SinkOptions): Promise<void> {
    const { dav, deleteHeaders = {} } = await this.#place.get(options.signal)
    const about = aboutOf(key, options)
    // A collection would go with all that is in it.
    const there = await dav.info(key, about)
    if (there && objectOf(this.name, key, there)) await dav.remove(key, { ...about, headers: deleteHeaders })
  }

  /** A name for an object until it has its own: beside it, for servers copy what changes its collection, and show half of it. */
  async #temporary({ collections }: Opened, key: string, options: SinkOptions): Promise<UploadTo> {
    const parent = key.slice(0, key.lastIndexOf('/') + 1)
    await collections.make(parent.slice(0, -1), aboutOf(key, options))
    return { path: parent + temporaryName(), key }
  }

  /** Gives what has arrived its name. One at a time for a key: servers look whether it is taken, and then move. */
  async #publish(
    place: Opened,
    { path, key }: UploadTo,
    sizeBytes: number,
    options: PutOptions,
  ): Promise<void> {
    const { dav, settle, deleteHeaders = {} } = place
    const about = aboutOf(key, options)
    const move = async (replace: boolean): Promise<boolean> => {
      try {
        return await dav.move(path, key, replace, { ...about, headers: deleteHeaders })
      } catch (error) {
        options.signal?.throwIfAborted()
        // What Apache answers where the key is a collection says nothing of it.
        if (error instanceof SinkError && error.code === 'protocol')
          await this.#refuseCollection(dav, key, about)
        if (!(error instanceof SinkError) || !error.retryable) throw error
        if (settle && (await settle({ from: path, to: key, key, sizeBytes, error, options }))) return true
        if (error.code === 'timeout') this.#unsettled.add(error)
        throw error
      }
    }
    await this.#lock.run(key, async () => {
      options.signal?.throwIfAborted()
      if (!(await move(false))) {
        if (options.ifAbsent) throw new SinkError('exists', 'exists already', { sink: this.name, key })
        // A collection would be replaced with all that is in it.
        await this.#refuseCollection(dav, key, about)
        await move(true)
      }
      const there = await this.#find(dav, key, about)
      checkPublished({ sink: this.name, key, sentBytes: sizeBytes, thereBytes: there?.sizeBytes })
    })
  }

  /** Servers replace an object by deleting it first: what is not there is looked for again. */
  async #find(dav: Dav, key: string, about: DavOptions): Promise<DavEntry | undefined> {
    const entry = await dav.info(key, about)
    if (entry) return entry
    await pause(REPLACING_MS, undefined, { signal: about.signal })
    return dav.info(key, about)
  }

  async #refuseCollection(dav: Dav, key: string, about: DavOptions): Promise<void> {
    const there = await dav.info(key, about)
    if (there) objectOf(this.name, key, there)
  }

  /** Takes away what did not become an object. What is left is removed when it is stale. */
  async #discard(
    { dav, discardHeaders = {} }: Opened,
    { path, key }: UploadTo,
    failure: unknown,
  ): Promise<void> {
    if (failure instanceof Error && this.#unsettled.has(failure)) return
    const signal = AbortSignal.timeout(DISCARD_MS)
    await dav.remove(path, { key, signal, headers: discardHeaders }).catch(() => undefined)
  }

  /** What the server says of its quota. @see https://www.rfc-editor.org/rfc/rfc4331#section-3 */
  async freeBytes({ signal }: SinkOptions): Promise<number | undefined> {
    const { dav } = await this.#place.get(signal)
    const found = await dav.info('', { signal }, [QUOTA])
    const said = found?.properties.get(QUOTA) ?? ''
    // Nextcloud means by less than nothing that there is no quota, or that it does not know.
    return /^\d+$/.test(said) ? Number(said) : undefined
  }
}

function aboutOf(key: string, { signal }: SinkOptions): DavOptions {
  return { key, signal }
}
