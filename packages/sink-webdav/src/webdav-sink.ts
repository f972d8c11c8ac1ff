import { type Sink, SinkError } from '@pipe-backup/sink'
import type { Credentials } from './authorization.ts'
import { makeBase } from './collections.ts'
import { Dav } from './dav.ts'
import { davSink } from './dav-sink.ts'
import { HttpClient } from './http-client.ts'
import { PlainUploads } from './plain-uploads.ts'

export interface WebdavSinkOptions extends Credentials {
  readonly name: string
  /** Of the collection, https: or http:, without credentials in it. */
  readonly url: string
  /** Make the collection when it is missing. Default false: a disk that the server has lost must not be taken for an empty one. */
  readonly create?: boolean | undefined
  /** Certificate authorities to trust instead of the system's: PEM. */
  readonly ca?: string | undefined
  /** Show the password to a server without TLS, in the clear. Default false, save on this machine's own addresses. */
  readonly plainHttp?: boolean | undefined
  /** Read back what was sent, and compare. Default true; with false its size is asked, and the server trusted with the rest. */
  readonly readBack?: boolean | undefined
}

/**
 * A collection on any WebDAV server as a sink. What was sent is read back before it is shown.
 * @throws TypeError that names the option
 */
export function webdavSink(options: WebdavSinkOptions): Sink {
  const { name, create = false, readBack } = options
  const base = collectionUrl(options.url)
  checkCredentials('webdav', options)
  const http = new HttpClient(base, options)
  const dav = new Dav(http, base, name)
  const uploads = new PlainUploads(dav, { readBack })
  return davSink({
    name,
    open: async (signal) => {
      await findBase(dav, create, signal)
      return { dav, uploads }
    },
    close: () => http[Symbol.dispose](),
  })
}

/** @throws TypeError when user and password, or the token, can't be */
export function checkCredentials(type: string, { user, password, token }: Credentials): void {
  if ((user === undefined) !== (password === undefined)) {
    throw new TypeError(`${type}: \`user\` and \`password\` belong together`)
  }
  if (token !== undefined && user !== undefined)
    throw new TypeError(`${type}: \`token\` and \`user\`: one or the other`)
  if (user?.includes(':')) throw new TypeError(`${type}: \`user\` can't have a colon in it`)
  if (/\p{Cc}/u.test(`${user}${password}${token}`)) {
    throw new TypeError(`${type}: \`user\`, \`password\` and \`token\` can't have line breaks in them`)
  }
}

/** The collection is there, and it is one, or it is made. @throws SinkError */
export async function findBase(dav: Dav, create: boolean, signal: AbortSignal): Promise<void> {
  let there = await dav.info('', { signal })
  if (!there && create) {
    await makeBase(dav, { signal })
    there = await dav.info('', { signal })
  }
  if (there?.isCollection) return
  const what = there ? 'is no collection on the server' : 'is not there on the server'
  const hint = 'Is the path right, and its disk mounted? `pipe-backup init` makes the collection.'
  throw new SinkError('unreachable', `${dav.base.pathname} ${what}`, {
    sink: dav.sink,
    isPlaceMissing: there === undefined,
    hint,
  })
}

function collectionUrl(url: string): URL {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new TypeError('webdav: `url` is a URL: https://host/path')
  }
  const base = new URL(url)
  if (base.username !== '' || base.password !== '') {
    throw new TypeError('webdav: `url` has credentials in it: they belong into `user` and `password`')
  }
  if (base.search !== '' || base.hash !== '') throw new TypeError('webdav: `url` ends with its path')
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/`
  return base
}
