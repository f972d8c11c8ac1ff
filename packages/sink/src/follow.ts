import { Readable } from 'node:stream'

/** What is read now: it may be another one later. */
export interface Followed {
  stream: Readable
}

/**
 * A stream of the pieces that are made of another's. The other goes with it, begun or not: a generator that has not begun when its
 * stream is destroyed never runs, one that waits goes on waiting, and what it would have ended stays open.
 */
export function follow(followed: Followed, pieces: AsyncIterable<Uint8Array>): Readable {
  // It may fail before anybody reads; who reads then meets it.
  followed.stream.on('error', () => undefined)
  const stream = Readable.from(pieces, { objectMode: false })
  // Its own waits for the generator, and so comes too late.
  const destroy = stream._destroy.bind(stream)
  stream._destroy = (error, done) => {
    followed.stream.destroy()
    destroy(error, done)
  }
  return stream
}
