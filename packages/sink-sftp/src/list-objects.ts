import { join } from 'node:path/posix'
import { isKey, type ObjectInfo, SinkError } from '@pipe-backup/sink'
import { hasType, infoOf, type Remote, type RemoteEntry } from './remote.ts'
import { isStatus, Status } from './sftp-errors.ts'

/** Directories that are looked into ahead of who reads: each takes three round trips, and packs are in 256. */
const AHEAD = 8

type Batches = ReturnType<Remote['batches']>

interface Asked {
  readonly directory: string
  readonly batches: Batches
  /** What most directories hold, and that it is all. */
  readonly first: Promise<readonly IteratorResult<readonly RemoteEntry[]>[]>
}

/** Where objects are listed. */
export interface Place {
  readonly sink: string
  readonly remote: Pick<Remote, 'batches'>
  readonly root: string
}

/** All objects below a directory, one directory after the other; none where it is not there. */
export async function* listObjects(place: Place, directory: string): AsyncGenerator<ObjectInfo> {
  const waiting = [directory]
  const asked: Asked[] = []
  const askAhead = (): void => {
    while (asked.length < AHEAD) {
      const next = waiting.pop()
      if (next === undefined) return
      const batches = place.remote.batches(join(place.root, next))
      const first = Promise.all([batches.next(), batches.next()])
      // Its failure is seen when its turn comes.
      first.catch(ignore)
      asked.push({ directory: next, batches, first })
    }
  }
  try {
    for (;;) {
      askAhead()
      const next = asked.shift()
      if (!next) return
      try {
        for await (const entry of entriesOf(next)) {
          const found = objectOf(place, next.directory, entry)
          if (typeof found === 'string') waiting.push(found)
          else if (found) yield found
        }
      } catch (error) {
        // One that has gone meanwhile has nothing in it.
        if (!isStatus(error, Status.noSuchFile)) throw error
      }
    }
  } finally {
    for (const { batches } of asked) batches.return(undefined).catch(ignore)
  }
}

async function* entriesOf({ batches, first }: Asked): AsyncGenerator<RemoteEntry> {
  try {
    for (const { value, done } of await first) if (!done) yield* value
    for await (const more of batches) yield* more
  } finally {
    batches.return(undefined).catch(ignore)
  }
}

/** @returns the key of a directory as it is; undefined for what is neither @throws SinkError `protocol` */
function objectOf(
  { sink }: Place,
  directory: string,
  { filename, attrs }: RemoteEntry,
): ObjectInfo | string | undefined {
  const key = directory === '' ? filename : `${directory}/${filename}`
  if (!isKey(key)) return undefined
  // Never passed over: it may be an object.
  if (!hasType(attrs))
    throw new SinkError('protocol', 'the server does not say whether it is a file', { sink, key })
  if (attrs.isDirectory()) return key
  return attrs.isFile() ? infoOf(key, attrs) : undefined
}

function ignore(): void {}
