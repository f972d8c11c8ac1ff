import { type HttpBody, readBody } from '@pipe-backup/http'
import type { SinkOptions } from '@pipe-backup/sink'
import { SinkError } from '@pipe-backup/sink'
import { finish, type HttpAnswer, type HttpClient } from './http-client.ts'
import { type DavResponse, readMultistatus } from './multistatus.ts'
import { statusError, toSinkError } from './webdav-errors.ts'

export interface DavOptions extends Pick<SinkOptions, 'signal'> {
  /** Of the object that it is about, for messages. */
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** What a server says of a resource. */
export interface DavEntry {
  /** Its last component; empty for the collection itself. */
  readonly name: string
  readonly isCollection: boolean
  /** Undefined for collections. */
  readonly sizeBytes: number | undefined
  readonly modifiedAt: Date | undefined
  /** The server's clock, when it answered. */
  readonly askedAt: Date | undefined
  /** What else was asked for, and is there: texts by Clark notation. */
  readonly properties: ReadonlyMap<string, string>
}

const PROPERTIES = ['resourcetype', 'getcontentlength', 'getlastmodified'] as const
/** A collection of some 100,000 objects: what holds more is spread over many. */
const MAX_XML_BYTES = 64 * 1024 * 1024
/** What servers answer to a MOVE that has succeeded. */
const MOVED: readonly number[] = [201, 204]
const XML_TYPE = 'application/xml; charset=utf-8'

/** A collection on a WebDAV server: its methods, on paths below it. A path is components with `/` between; empty, it is the collection. */
export class Dav {
  readonly http: HttpClient
  readonly base: URL
  readonly sink: string

  /** @param base - its path ends in `/` */
  constructor(http: HttpClient, base: URL, sink: string) {
    this.http = http
    this.base = base
    this.sink = sink
  }

  url(path: string): URL {
    return new URL(path.split('/').map(encodeURIComponent).join('/'), this.base)
  }

  /** @returns undefined when there is nothing. @throws SinkError */
  async info(
    path: string,
    options: DavOptions = {},
    more: readonly string[] = [],
  ): Promise<DavEntry | undefined> {
    let answer = await this.#find(path, '0', options, more)
    if (this.#leadsToCollection(answer)) {
      await finish(answer)
      answer = await this.#find(`${path}/`, '0', options, more)
    }
    if (answer.status === 404) {
      await finish(answer)
      return undefined
    }
    let found: DavEntry | undefined
    for await (const entry of this.#entriesOf(answer, path, options)) {
      if (entry.name === '') found = entry
    }
    if (!found) throw this.#nonsense('it says nothing of what was asked for', options)
    return found
  }

  /** What is in a collection, as the server lists it. @throws SinkError `not-found` when there is none */
  async *children(path: string, options: DavOptions = {}): AsyncGenerator<DavEntry> {
    yield* this.childrenOf(await this.find(path, options), path, options)
  }

  /** Asks for what is in a collection. @returns the answer, for `childrenOf` */
  find(path: string, options: DavOptions = {}): Promise<HttpAnswer> {
    return this.#find(path, '1', options, [])
  }

  async *childrenOf(answer: HttpAnswer, path: string, options: DavOptions = {}): AsyncGenerator<DavEntry> {
    let known = false
    for await (const entry of this.#entriesOf(answer, path, options)) {
      if (entry.name === '') known = true
      else yield entry
    }
    if (!known) throw this.#nonsense('it leaves out the collection itself', options)
  }

  put(path: string, body: HttpBody, options: DavOptions = {}): Promise<HttpAnswer> {
    return this.request('PUT', path, options, body)
  }

  get(path: string, options: DavOptions = {}): Promise<HttpAnswer> {
    return this.request('GET', path, options)
  }

  /** @returns whether it was made, was there already, or has nothing to be in. @throws SinkError */
  async makeCollection(path: string, options: DavOptions = {}): Promise<'made' | 'there' | 'no-parent'> {
    const answer = await this.request('MKCOL', path === '' ? '' : `${path}/`, options)
    const { status } = answer
    if (status >= 300 && ![404, 405, 409].includes(status)) throw await this.error(answer, options)
    await finish(answer)
    if (status < 300) return 'made'
    return status === 405 ? 'there' : 'no-parent'
  }

  /** @returns whether it was moved: false when there is something already, and it must not be replaced. @throws SinkError */
  async move(from: string, to: string, replace: boolean, options: DavOptions = {}): Promise<boolean> {
    const headers = {
      ...options.headers,
      Destination: this.url(to).href,
      Overwrite: replace ? 'T' : 'F',
    }
    const answer = await this.request('MOVE', from, { ...options, headers })
    if (MOVED.includes(answer.status)) {
      await finish(answer)
      return true
    }
    const failure = await this.#failureOf(answer, options)
    if (failure.status !== 412 || replace) throw await this.error(failure, options)
    await finish(answer)
    return false
  }

  /** Of a collection, with all that is in it. What is not there is removed already. @throws SinkError */
  async remove(path: string, options: DavOptions = {}): Promise<void> {
    await this.#expect(await this.request('DELETE', path, options), [200, 202, 204, 404], options)
  }

  /**
   * Any request.
   * @param path - below the collection, or the whole URL
   * @returns the answer, whatever its status. @throws SinkError of the network; the signal's reason
   */
  async request(
    method: string,
    path: string | URL,
    options: DavOptions,
    body?: HttpBody,
  ): Promise<HttpAnswer> {
    const { signal, headers = {}, key } = options
    try {
      const url = typeof path === 'string' ? this.url(path) : path
      return await this.http.send({ method, url, headers, signal, body })
    } catch (cause) {
      signal?.throwIfAborted()
      throw toSinkError(cause, { sink: this.sink, key })
    }
  }

  /** The error that an answer is. */
  error(answer: HttpAnswer, { key }: DavOptions = {}): Promise<SinkError> {
    return statusError(answer, { sink: this.sink, key })
  }

  async #expect(answer: HttpAnswer, statuses: readonly number[], options: DavOptions): Promise<void> {
    if (!statuses.includes(answer.status))
      throw await this.error(await this.#failureOf(answer, options), options)
    await finish(answer)
  }

  /** 207 is a part of it that went wrong: https://www.rfc-editor.org/rfc/rfc4918#section-9.9.4 */
  async #failureOf(answer: HttpAnswer, options: DavOptions): Promise<HttpAnswer> {
    if (answer.status !== 207) return answer
    let failed = 500
    for (const { status } of await this.#responses(answer, options)) failed = status ?? failed
    return { ...answer, status: failed }
  }

  async #find(
    path: string,
    depth: '0' | '1',
    options: DavOptions,
    more: readonly string[],
  ): Promise<HttpAnswer> {
    const names = [...PROPERTIES.map((name) => `{DAV:}${name}`), ...more]
    const wanted = names.map((name) => {
      const [, namespace = 'DAV:', local = name] = /^\{(.*)\}(.*)$/.exec(name) ?? []
      return `<${local} xmlns="${namespace}"/>`
    })
    const xml = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>${wanted.join('')}</prop></propfind>`
    const bytes = Buffer.from(xml)
    const headers = { ...options.headers, Depth: depth, 'Content-Type': XML_TYPE }
    const slash = depth === '1' && path !== '' ? '/' : ''
    const answer = await this.request(
      'PROPFIND',
      path + slash,
      { ...options, headers },
      { pieces: () => [bytes], sizeBytes: bytes.length },
    )
    if (answer.status === 207) return answer
    if (depth === '0' && (answer.status === 404 || this.#leadsToCollection(answer))) return answer
    throw await this.error(answer, options)
  }

  /** Of a collection whose URL has no `/` at its end, some servers redirect to the one that has. That much is followed. */
  #leadsToCollection({ status, url, headers: { location } }: HttpAnswer): boolean {
    if (![301, 302, 307, 308].includes(status) || url.pathname.endsWith('/')) return false
    if (location === undefined || !URL.canParse(location, url.href)) return false
    return decodedPath(new URL(location, url).pathname) === decodedPath(url.pathname)
  }

  async #responses(answer: HttpAnswer, options: DavOptions): Promise<readonly DavResponse[]> {
    const { bytes, isWhole } = await readBody(answer.body, MAX_XML_BYTES)
    options.signal?.throwIfAborted()
    try {
      if (!isWhole) throw new SyntaxError('it does not come to an end')
      return await readMultistatus(bytes)
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      throw this.#nonsense(`it is no WebDAV answer: ${cause.message}`, options, cause)
    }
  }

  async *#entriesOf(answer: HttpAnswer, path: string, options: DavOptions): AsyncGenerator<DavEntry> {
    const asked = decodedPath(this.url(path).pathname)
    const askedAt = dateOf(answer.headers.date)
    for (const response of await this.#responses(answer, options)) {
      const { href, status, properties } = response
      const name = nameIn(asked, href, this.base)
      if (name === undefined) {
        throw this.#nonsense('it speaks of another place than was asked for', options, undefined, PROXY)
      }
      // Gone since, or below what was asked for.
      if ((name !== '' && status === 404) || name.includes('/')) continue
      if (status !== undefined && status >= 300) throw await this.error({ ...answer, status }, options)
      const type = properties.get('{DAV:}resourcetype')
      const isCollection = type?.elements.includes('collection') === true
      const length = properties.get('{DAV:}getcontentlength')?.text ?? ''
      if (!isCollection && !/^\d{1,15}$/.test(length)) {
        throw this.#nonsense(`it does not say how long ${JSON.stringify(name)} is`, options)
      }
      yield {
        name,
        isCollection,
        sizeBytes: isCollection ? undefined : Number(length),
        modifiedAt: dateOf(properties.get('{DAV:}getlastmodified')?.text),
        askedAt,
        properties: new Map([...properties].map(([property, { text }]) => [property, text])),
      }
    }
  }

  #nonsense(what: string, { key }: DavOptions, cause?: unknown, hint?: string): SinkError {
    return new SinkError('protocol', `the server’s answer makes no sense: ${what}`, {
      sink: this.sink,
      cause,
      key,
      hint,
    })
  }
}

const PROXY = 'A proxy that changes paths must change them in answers as well.'

/** What a path is below another. @returns undefined when it is not; empty when it is the same */
function nameIn(asked: string, href: string, base: URL): string | undefined {
  if (!URL.canParse(href, base.href)) return undefined
  const path = decodedPath(new URL(href, base).pathname)
  if (path === asked) return ''
  return path.startsWith(`${asked}/`) ? path.slice(asked.length + 1) : undefined
}

/** Without the `/` at its end. */
function decodedPath(pathname: string): string {
  const path = pathname.replace(/\/{2,}/g, '/').replace(/\/$/, '')
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function dateOf(text: string | undefined): Date | undefined {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? undefined : new Date(ms)
}
