import { join } from 'node:path/posix'
import { isKey, type ObjectInfo, SinkError, walkFolders } from '@pipe-backup/sink'
import { hasType, infoOf, type Remote, type RemoteEntry } from './remote.ts'
import { isStatus, Status } from './sftp-errors.ts'

/** Directories that are looked into ahead of who reads: each takes three round trips, and packs are in 256. */
const AHEAD = 8

type Batches = ReturnType<Remote['batches']>

interface Answer {
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

/** All objects below a directory; none where it is not there. */
export function listObjects(place: Place, directory: string): AsyncGenerator<ObjectInfo> {
  return walkFolders<Answer>(directory, {
    ahead: AHEAD,
    ask(below) {
      const batches = place.remote.batches(join(place.root, below))
      const first = Promise.all([batches.next(), batches.next()])
      first.catch(ignore)
      return { batches, first }
    },
    async *read(below, answer, enter) {
      try {
        for await (const entry of entriesOf(answer)) {
          const found = objectOf(place, below, entry)
          if (typeof found === 'string') enter(found)
          else if (found) yield found
        }
      } catch (error) {
        // One that has gone meanwhile has nothing in it.
        if (!isStatus(error, Status.noSuchFile)) throw error
      }
    },
    drop: ({ batches }) => void batches.return(undefined).catch(ignore),
  })
}

async function* entriesOf({ batches, first }: Answer): AsyncGenerator<RemoteEntry> {
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
