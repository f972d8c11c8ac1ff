import { randomBytes } from 'node:crypto'
import { isKey, type ObjectInfo, SinkError, walkFolders } from '@pipe-backup/sink'
import type { Dav, DavEntry, DavOptions } from './dav.ts'

/** What is listed, and how what is temporary in it goes. */
export interface Listed {
  readonly dav: Dav
  readonly discardHeaders?: Readonly<Record<string, string>> | undefined
}

type Answer = ReturnType<Dav['find']>

/** No key has such a name, so no listing shows it. */
const TEMPORARY = /^\.pb-[0-9a-f]{24}\.tmp$/
/** What a killed client left behind is removed after so long without a change, by the server's clock. */
const STALE_MS = 24 * 60 * 60 * 1000
/** How long a server may take to remove it. */
const REMOVE_MS = 3000
/** Collections that are asked for ahead of who reads. */
const AHEAD = 8

/** For what is to become an object. */
export function temporaryName(): string {
  return `.pb-${randomBytes(12).toString('hex')}.tmp`
}

/** @throws SinkError `refused-key` for a collection: the key is part of another's path */
export function objectOf(sink: string, key: string, entry: DavEntry): ObjectInfo {
  const { isCollection, sizeBytes = 0, modifiedAt } = entry
  if (isCollection) throw new SinkError('refused-key', 'is a collection, with objects in it', { sink, key })
  if (!modifiedAt)
    throw new SinkError('protocol', 'the server does not say when it was stored', { sink, key })
  return { key, sizeBytes, storedAt: modifiedAt }
}

/** All objects below a path. What is temporary and stale is removed on the way. */
export function listObjects(listed: Listed, path: string, options: DavOptions): AsyncGenerator<ObjectInfo> {
  return walkFolders<Answer>(path, {
    ahead: AHEAD,
    ask(below) {
      const answer = listed.dav.find(below, options)
      answer.catch(ignore)
      return answer
    },
    async *read(below, answer, enter) {
      try {
        yield* objectsIn(listed, below, await answer, options, enter)
      } catch (error) {
        // One that has gone meanwhile has nothing in it.
        if (!(error instanceof SinkError && error.code === 'not-found') || below === '') throw error
      }
    },
    drop: (answer) => void answer.then(({ body }) => body.destroy(), ignore),
  })
}

async function* objectsIn(
  listed: Listed,
  path: string,
  answer: Awaited<Answer>,
  options: DavOptions,
  enter: (path: string) => void,
): AsyncGenerator<ObjectInfo> {
  const { dav } = listed
  for await (const entry of dav.childrenOf(answer, path, options)) {
    const key = path === '' ? entry.name : `${path}/${entry.name}`
    if (TEMPORARY.test(entry.name)) await removeStale(listed, key, entry)
    else if (!isKey(key)) continue
    else if (entry.isCollection) enter(key)
    else yield objectOf(dav.sink, key, entry)
  }
}

async function removeStale(
  { dav, discardHeaders = {} }: Listed,
  path: string,
  entry: DavEntry,
): Promise<void> {
  const { askedAt, modifiedAt, isCollection } = entry
  if (isCollection || !askedAt || !modifiedAt) return
  if (askedAt.getTime() - modifiedAt.getTime() < STALE_MS) return
  // Who may not delete can list all the same.
  const signal = AbortSignal.timeout(REMOVE_MS)
  await dav.remove(path, { signal, headers: discardHeaders }).catch(ignore)
}

function ignore(): void {}
