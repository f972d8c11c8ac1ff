import { Writable } from 'node:stream'
import { type Sink, SinkError } from '@pipe-backup/sink'
import { type Source, SourceError } from '@pipe-backup/source'

/**
 * A sink that could not be opened, such as one whose password is not to be had: every request fails with the reason.
 * It fails alone, as a sink does that is down; the others get their backup.
 */
export function unavailableSink(name: string, cause: Error): Sink {
  const error = (key?: string): SinkError =>
    new SinkError('unauthorized', `not opened: ${cause.message}`, {
      sink: name,
      cause,
      key,
    })
  const refuse = (key: string): Promise<never> => Promise.reject(error(key))
  return {
    name,
    appendOnly: false,
    put: refuse,
    get: refuse,
    head: refuse,
    delete: refuse,
    deleteMany: (keys) => Promise.resolve(new Map(keys.map((key) => [key, error(key)]))),
    createReadStream: refuse,
    createWriteStream: (key) => new Writable({ construct: (done) => done(error(key)) }),
    list: () => rejecting(error()),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** A source that could not be opened: it fails alone, and the others are backed up. */
export function unavailableSource(name: string, cause: Error): Source {
  return { name, entries: () => rejecting(new SourceError('unreadable', cause.message, { cause })) }
}

function rejecting(error: Error): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }
}
