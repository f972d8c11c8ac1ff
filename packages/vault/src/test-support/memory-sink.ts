import type { Readable, Writable } from 'node:stream'
import {
  deleteEach,
  type ObjectInfo,
  type PutOptions,
  type ReadOptions,
  type Sink,
  SinkError,
  type SinkErrorCode,
  type SinkOptions,
} from '@pipe-backup/sink'
import { memorySink } from '@pipe-backup/sink/testing'

export type SinkOperation = 'put' | 'get' | 'head' | 'list' | 'delete'
type Hook = (operation: SinkOperation, key: string, signal?: AbortSignal) => void | Promise<void>

/** The objects of a sink, to be looked at, changed and taken away. */
class Objects {
  readonly #stored: ReturnType<typeof memorySink>['objects']

  constructor(stored: ReturnType<typeof memorySink>['objects']) {
    this.#stored = stored
  }

  get(key: string): Buffer | undefined {
    const object = this.#stored.get(key)
    return object && Buffer.from(object.bytes)
  }

  set(key: string, bytes: Uint8Array, storedAt: Date = this.#stored.get(key)?.storedAt ?? new Date(0)): void {
    this.#stored.set(key, { bytes: Uint8Array.from(bytes), storedAt })
  }

  delete(key: string): void {
    this.#stored.delete(key)
  }

  clear(): void {
    this.#stored.clear()
  }

  keys(): Iterable<string> {
    return this.#stored.keys()
  }

  values(): Buffer[] {
    return Array.from(this.#stored.values(), ({ bytes }) => Buffer.from(bytes))
  }

  *[Symbol.iterator](): Generator<[string, Buffer]> {
    for (const [key, { bytes }] of this.#stored) yield [key, Buffer.from(bytes)]
  }
}

/** A sink in memory, with a word to say before and after each operation. */
export class MemorySink implements Sink {
  readonly name: string
  readonly appendOnly: boolean
  readonly objects: Objects
  /** Keys in the order in which they were put. */
  readonly puts: string[] = []
  /** Called before each operation: what it throws is what the operation throws. */
  before: Hook | undefined
  /** Called when an operation has been done, whose answer is then lost if it throws. */
  after: Hook | undefined
  /** Where it locks what it stores. */
  renewLock: NonNullable<Sink['renewLock']> = () => Promise.resolve(false)
  readonly #sink: ReturnType<typeof memorySink>

  /** @param now - its clock */
  constructor(name: string, now: () => Date = () => new Date()) {
    this.name = name
    this.#sink = memorySink(name, now)
    this.appendOnly = this.#sink.appendOnly
    this.objects = new Objects(this.#sink.objects)
  }

  /** Keys with this prefix, sorted. */
  keys(prefix = ''): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  /** Another sink with the same objects. */
  copy(name: string = this.name): MemorySink {
    const copy = new MemorySink(name)
    for (const [key, bytes] of this.objects) copy.objects.set(key, bytes)
    return copy
  }

  error(code: SinkErrorCode, key?: string): SinkError {
    return new SinkError(code, 'refused by the test', { sink: this.name, key })
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#do('put', key, options, async () => {
      await this.#sink.put(key, bytes, options)
      this.puts.push(key)
    })
  }

  createWriteStream(key: string, options: PutOptions = {}): Writable {
    return this.#sink.createWriteStream(key, options)
  }

  createReadStream(key: string, options: ReadOptions = {}): Promise<Readable> {
    return this.#do('get', key, options, () => this.#sink.createReadStream(key, options))
  }

  get(key: string, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.#do('get', key, options, () => this.#sink.get(key, options))
  }

  head(key: string, options: SinkOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#do('head', key, options, () => this.#sink.head(key, options))
  }

  async *list(prefix: string, options: SinkOptions = {}): AsyncGenerator<ObjectInfo> {
    await this.before?.('list', prefix, options.signal)
    yield* this.#sink.list(prefix, options)
  }

  delete(key: string, options: SinkOptions = {}): Promise<void> {
    return this.#do('delete', key, options, () => this.#sink.delete(key, options))
  }

  deleteMany(keys: readonly string[], options: SinkOptions = {}): Promise<ReadonlyMap<string, SinkError>> {
    return deleteEach(this, keys, options)
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#sink[Symbol.asyncDispose]()
  }

  async #do<T>(
    operation: SinkOperation,
    key: string,
    { signal }: SinkOptions,
    act: () => Promise<T>,
  ): Promise<T> {
    await this.before?.(operation, key, signal)
    const result = await act()
    await this.after?.(operation, key, signal)
    return result
  }
}
