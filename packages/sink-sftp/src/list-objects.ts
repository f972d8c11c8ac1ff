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
  readonly remote: Pick<Remote, 'batches' | 'closed'>
  readonly root: string
}

/** All objects below a directory; none where it is not there. */
export async function* listObjects(place: Place, directory: string): AsyncGenerator<ObjectInfo> {
  const ended: Promise<unknown>[] = []
  const drop = ({ batches }: Answer): void => void ended.push(batches.return(undefined).catch(ignore))
  try {
    yield* walkFolders<Answer>(directory, {
      ahead: AHEAD,
      ask: (below) => ask(place, below),
      read: (below, answer, enter) => objectsIn(place, below, answer, enter, drop),
      drop,
    })
  } finally {
    await Promise.all(ended)
    await place.remote.closed()
  }
}

function ask({ remote, root }: Place, directory: string): Answer {
  const batches = remote.batches(join(root, directory))
  const first = Promise.all([batches.next(), batches.next()])
  first.catch(ignore)
  return { batches, first }
}

async function* objectsIn(
  place: Place,
  directory: string,
  answer: Answer,
  enter: (directory: string) => void,
  drop: (answer: Answer) => void,
): AsyncGenerator<ObjectInfo> {
  try {
    for await (const entry of entriesOf(answer)) {
      const found = objectOf(place, directory, entry)
      if (typeof found === 'string') enter(found)
      else if (found) yield found
    }
  } catch (error) {
    // One that has gone meanwhile has nothing in it.
    if (!isStatus(error, Status.noSuchFile)) throw error
  } finally {
    drop(answer)
  }
}

async function* entriesOf({ batches, first }: Answer): AsyncGenerator<RemoteEntry> {
  for (const { value, done } of await first) if (!done) yield* value
  for await (const more of batches) yield* more
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
