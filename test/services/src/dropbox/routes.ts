import { Refused } from './account.ts'
import { badInput, routeError, tagged } from './api-error.ts'
import { metadataOf } from './metadata.ts'
import { download, type Place, type Route, refusedAs, rpc, upload } from './route.ts'
import {
  BadArgument,
  boolean,
  type Check,
  integer,
  list,
  nothing,
  optional,
  PATTERNS,
  required,
  string,
  struct,
  union,
  withDefault,
} from './stone.ts'

const HASH = string({ min: 64, max: 64 })
const REV = string({ min: 9, pattern: PATTERNS.rev })
const PATH = string({ pattern: PATTERNS.path })
const CURSOR = struct({ session_id: required(string()), offset: required(integer()) })
const COMMIT_FIELDS = {
  path: required(PATH),
  mode: withDefault(union(['add', 'overwrite'], ['update']), { tag: 'add' }),
  autorename: withDefault(boolean, false),
  client_modified: optional(string({ pattern: '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ' })),
  mute: withDefault(boolean, false),
  strict_conflict: withDefault(boolean, false),
}
const FINISH = struct({
  cursor: required(CURSOR),
  commit: required(struct(COMMIT_FIELDS)),
  content_hash: optional(HASH),
})
const DELETE = struct({ path: required(PATH), parent_rev: optional(REV) })
const LIST = struct({
  path: required(rootIsEmpty(string({ pattern: PATTERNS.pathOrRoot }))),
  recursive: withDefault(boolean, false),
  include_media_info: withDefault(boolean, false),
  include_deleted: withDefault(boolean, false),
  include_has_explicit_shared_members: withDefault(boolean, false),
  include_mounted_folders: withDefault(boolean, true),
  limit: optional(integer(1, 2000)),
  include_non_downloadable_files: withDefault(boolean, true),
  include_restorable_info: withDefault(boolean, false),
})

/** By name. https://github.com/dropbox/dropbox-api-spec, files.stone and users.stone */
export const ROUTES: Readonly<Record<string, Route>> = {
  'users/get_space_usage': rpc('account_info.read', nothing, (_, { account }) => account.spaceUsage),

  'files/get_metadata': rpc(
    'files.metadata.read',
    struct({
      path: required(string({ pattern: PATTERNS.readPath })),
      include_media_info: withDefault(boolean, false),
      include_deleted: withDefault(boolean, false),
      include_has_explicit_shared_members: withDefault(boolean, false),
    }),
    ({ path }, { account }) =>
      refusedAs(
        (error) => tagged('path', error),
        () => {
          const stored = account.lookUp(path)
          return { '.tag': stored.tag, ...metadataOf(stored) }
        },
      ),
  ),

  'files/list_folder': rpc('files.metadata.read', LIST, (listed, { listings }) =>
    refusedAs(
      (error) => tagged('path', error),
      () => listings.start(listed),
    ),
  ),

  'files/list_folder/continue': rpc(
    'files.metadata.read',
    struct({ cursor: required(string({ min: 1 })) }),
    ({ cursor }, { listings }) =>
      refusedAs(
        (error) => error,
        () => {
          const page = listings.continue(cursor)
          if (!page)
            throw badInput('files/list_folder/continue', 'Invalid "cursor" parameter: malformed cursor.')
          return page
        },
      ),
  ),

  'files/delete_v2': rpc('files.content.write', DELETE, ({ path, parent_rev }, { account }) =>
    refusedAs(
      (error) => error,
      () =>
        account.locked(() => {
          const stored = account.delete(path, parent_rev)
          return { metadata: { '.tag': stored.tag, ...metadataOf(stored) } }
        }),
    ),
  ),

  'files/delete_batch': rpc(
    'files.content.write',
    struct({ entries: required(list(DELETE, 1000)) }),
    ({ entries }, { jobs }) => ({ '.tag': 'async_job_id', async_job_id: jobs.launch(entries) }),
  ),

  'files/delete_batch/check': rpc(
    'files.content.write',
    struct({ async_job_id: required(string({ min: 1 })) }),
    ({ async_job_id: id }, { jobs }) => {
      const outcome = jobs.check(id)
      if (!outcome) throw routeError(tagged('invalid_async_job_id'))
      return outcome
    },
  ),

  'files/upload': upload(
    'files.content.write',
    struct({ ...COMMIT_FIELDS, content_hash: optional(HASH) }),
    async ({ content_hash: hash, ...commit }, { account, sessions, newBlob }, body) => {
      const blob = newBlob()
      await blob.append(body, hash)
      return refusedAs(
        (reason) => ({ '.tag': 'path', reason, upload_session_id: sessions.keep(blob, true) }),
        () =>
          account.locked(() => {
            const file = account.commit(commit, blob)
            if (file.blob !== blob) blob.discard()
            return metadataOf(file)
          }),
      )
    },
  ),

  'files/download': download(
    'files.content.read',
    struct({ path: required(string({ pattern: PATTERNS.readPath })), rev: optional(REV) }),
    ({ path }, { account }) => {
      try {
        const stored = account.lookUp(path)
        if (stored.tag === 'folder') throw new Refused(tagged('not_file'))
        return { metadata: metadataOf(stored), blob: stored.blob }
      } catch (error) {
        if (error instanceof Refused) throw routeError(tagged('path', error.error))
        throw error
      }
    },
  ),

  'files/upload_session/start': upload(
    'files.content.write',
    struct({
      close: withDefault(boolean, false),
      session_type: optional(union(['sequential'])),
      content_hash: optional(HASH),
    }),
    async ({ close, content_hash: contentHash }, { sessions }, body) => ({
      session_id: await sessions.start(body, { close, contentHash }),
    }),
  ),

  'files/upload_session/append_v2': upload(
    'files.content.write',
    struct({ cursor: required(CURSOR), close: withDefault(boolean, false), content_hash: optional(HASH) }),
    async ({ cursor, close, content_hash: contentHash }, { sessions }, body) => {
      await refusedAs(
        (error) => error,
        () => sessions.append(cursor, body, { close, contentHash }),
      )
      return null
    },
  ),

  'files/upload_session/finish': upload(
    'files.content.write',
    FINISH,
    async ({ cursor, commit, content_hash: contentHash }, place, body) => {
      const { sessions } = place
      const lookup = (error: Refused['error']) => tagged('lookup_failed', error)
      // A closed session takes no more bytes, but its finish has none.
      const some = await first(body)
      if (some) await refusedAs(lookup, () => sessions.append(cursor, some, { close: false, contentHash }))
      const blob = await refusedAs(lookup, () =>
        sessions.take({ ...cursor, offset: cursor.offset + (some?.read ?? 0) }, { mustBeClosed: false }),
      )
      return refusedAs(
        (error) => tagged('path', error),
        () => place.account.locked(() => finish(place, cursor.session_id, commit, blob)),
      )
    },
  ),

  'files/upload_session/finish_batch_v2': rpc(
    'files.content.write',
    struct({ entries: required(list(FINISH, 1000)) }),
    async ({ entries }, place) => {
      const { account, sessions } = place
      const failure = (error: Refused['error']) => ({ '.tag': 'failure', failure: error })
      const finishOne = ({ cursor, commit }: (typeof entries)[number]) => {
        let step = 'lookup_failed'
        try {
          const blob = sessions.take(cursor, { mustBeClosed: true })
          step = 'path'
          return { '.tag': 'success', ...finish(place, cursor.session_id, commit, blob) }
        } catch (error) {
          if (error instanceof Refused) return failure(tagged(step, error.error))
          throw error
        }
      }
      try {
        return { entries: await account.locked(() => entries.map(finishOne)) }
      } catch (error) {
        if (error instanceof Refused) return { entries: entries.map(() => failure(error.error)) }
        throw error
      }
    },
  ),
}

function finish(
  { account, sessions }: Place,
  sessionId: string,
  commit: Parameters<Place['account']['commit']>[0],
  blob: Parameters<Place['account']['commit']>[1],
): Record<string, unknown> {
  const file = account.commit(commit, blob)
  if (file.blob !== blob) blob.discard()
  sessions.forget(sessionId)
  return metadataOf(file)
}

/** The body, if it has any bytes; `read` counts them. */
async function first(
  body: AsyncIterable<Uint8Array>,
): Promise<(AsyncIterable<Uint8Array> & { read: number }) | undefined> {
  const iterator = body[Symbol.asyncIterator]()
  const start = await iterator.next()
  if (start.done) return undefined
  const counted = {
    read: 0,
    async *[Symbol.asyncIterator]() {
      for (let step: IteratorResult<Uint8Array> = start; !step.done; step = await iterator.next()) {
        counted.read += step.value.length
        yield step.value
      }
    },
  }
  return counted
}

function rootIsEmpty(check: Check<string>): Check<string> {
  return (value, at) => {
    if (value === '/') {
      throw new BadArgument(at, 'Specify the root folder as an empty string rather than as "/".')
    }
    return check(value, at)
  }
}
