import { readBody } from '@pipe-backup/http'
import { SinkError } from '@pipe-backup/sink'
import { Dav, finish, type HttpAnswer, type HttpClient } from '@pipe-backup/sink-webdav'

/** What a Nextcloud says of itself and of who asks. */
export interface FoundServer {
  /** Of the user's files. */
  readonly files: URL
  /** Of the user's uploads. */
  readonly uploads: URL
  readonly hasChunks: boolean
  /** The largest chunk that it takes, in bytes, where it says so. */
  readonly chunkLimit: number | undefined
}

const MAX_BYTES = 1024 * 1024
const NO_NEXTCLOUD = 'Is `server` right? Where Nextcloud is below a path, it is https://host/path.'

/**
 * Asks a Nextcloud or ownCloud what it is, who the user is, and what it can do.
 * @param user - as at the login: an address, where that is not the user's id
 * @throws SinkError
 */
export async function findServer(
  http: HttpClient,
  root: URL,
  user: string,
  sink: string,
  signal: AbortSignal,
): Promise<FoundServer> {
  const server = new Dav(http, root, sink)
  const ask = (path: string) =>
    server.request('GET', new URL(path, root), { signal, headers: { 'OCS-APIRequest': 'true' } })
  const answer = await ask('status.php')
  if (answer.status !== 200 && answer.status !== 404) throw await server.error(answer)
  const status = await readJson(answer)
  if (field(status, 'installed') === undefined) {
    throw new SinkError('protocol', `no Nextcloud answers at ${root.href}`, { sink, hint: NO_NEXTCLOUD })
  }
  if (field(status, 'maintenance') === true) {
    throw new SinkError('throttled', 'the server is in maintenance', { sink })
  }
  const who = await ask('ocs/v2.php/cloud/user?format=json')
  // Whether the password is right is asked here, and nowhere else in so many words.
  if (isTrouble(who)) throw await server.error(who)
  const id = field(data(await readJson(who)), 'id')
  const abilities = await ask('ocs/v2.php/cloud/capabilities?format=json')
  // One that is busy at this moment must not be taken, all the run long, for one that knows no chunks.
  if (isTrouble(abilities)) throw await server.error(abilities)
  const can = field(data(await readJson(abilities)), 'capabilities')
  const chunkLimit = Number(field(field(field(can, 'files'), 'chunked_upload'), 'max_size'))
  const of = (what: string) =>
    new URL(`remote.php/dav/${what}/${encodeURIComponent(typeof id === 'string' ? id : user)}/`, root)
  return {
    files: of('files'),
    uploads: of('uploads'),
    hasChunks: field(field(can, 'dav'), 'chunking') !== undefined,
    chunkLimit: chunkLimit > 0 ? chunkLimit : undefined,
  }
}

/** What says nothing of what the server knows or does not know. */
function isTrouble({ status }: HttpAnswer): boolean {
  return status === 401 || status === 429 || status >= 500
}

/** @returns undefined for an answer that is none */
async function readJson(answer: HttpAnswer): Promise<unknown> {
  if (answer.status !== 200) {
    await finish(answer)
    return undefined
  }
  try {
    return JSON.parse(String((await readBody(answer.body, MAX_BYTES)).bytes))
  } catch {
    return undefined
  }
}

function data(answer: unknown): unknown {
  return field(field(answer, 'ocs'), 'data')
}

function field(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null ? Reflect.get(from, name) : undefined
}
