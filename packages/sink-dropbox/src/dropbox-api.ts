import type { IncomingMessage } from 'node:http'
import { pieces, type SinkOptions } from '@pipe-backup/sink'
import { AccessTokens, type Credentials } from './access-tokens.ts'
import { ApiFailure, failureOf } from './api-failure.ts'
import { Exchange } from './exchange.ts'
import { headerJson } from './header-json.ts'
import { type JsonObject, parseObject } from './json.ts'

export interface ApiOptions extends Credentials {
  readonly apiUrl: string
  readonly contentUrl: string
  readonly now: () => number
}

export interface UploadOptions extends SinkOptions {
  /** Waited for before the last piece of the body goes out: what follows from the call follows then. */
  readonly beforeLast?: () => Promise<void>
}

/** No answer in JSON is longer: a page of a listing has some 600 KB, and finishing a thousand uploads as much. */
const MOST_CHARACTERS = 64 * 1024 * 1024

/**
 * Dropbox's API, version 2. An access token that has expired is renewed once, and the call made again.
 * Calls fail with `ApiFailure`, or with what the network has to say.
 * @see https://www.dropbox.com/developers/documentation/http/documentation
 */
export class DropboxApi implements Disposable {
  readonly #options: ApiOptions
  readonly #exchange = new Exchange()
  readonly #tokens: AccessTokens

  constructor(options: ApiOptions) {
    this.#options = options
    this.#tokens = new AccessTokens(options, this.#exchange, options.apiUrl, options.now)
  }

  /** JSON to JSON; null is the argument of routes that take none. */
  async rpc(route: string, argument: object | null, signal?: AbortSignal): Promise<JsonObject> {
    const body = Buffer.from(JSON.stringify(argument))
    const response = await this.#authorized(signal, (authorization) =>
      this.#exchange.post(new URL(`${this.#options.apiUrl}/2/${route}`), {
        headers: { ...authorization, 'Content-Type': 'application/json' },
        body: [body],
        sizeBytes: body.length,
        signal,
      }),
    )
    return this.#object(response)
  }

  /** Bytes to JSON; `{}` where the answer is null. */
  async upload(
    route: string,
    argument: object,
    bytes: Uint8Array,
    options: UploadOptions = {},
  ): Promise<JsonObject> {
    const response = await this.#authorized(options.signal, (authorization) =>
      this.#exchange.post(new URL(`${this.#options.contentUrl}/2/${route}`), {
        headers: {
          ...authorization,
          'Content-Type': 'application/octet-stream',
          'Dropbox-API-Arg': headerJson(argument),
        },
        body: held(bytes, options),
        sizeBytes: bytes.length,
        signal: options.signal,
      }),
    )
    return this.#object(response)
  }

  /** JSON to bytes. @param range - a value of the header of that name */
  async download(
    route: string,
    argument: object,
    range: string | undefined,
    signal?: AbortSignal,
  ): Promise<{ readonly response: IncomingMessage; readonly result: JsonObject }> {
    const response = await this.#authorized(signal, (authorization) =>
      this.#exchange.post(new URL(`${this.#options.contentUrl}/2/${route}`), {
        headers: {
          ...authorization,
          'Dropbox-API-Arg': headerJson(argument),
          ...(range !== undefined && { Range: range }),
        },
        body: [],
        sizeBytes: 0,
        signal,
      }),
    )
    const result = parseObject(String(response.headers['dropbox-api-result'] ?? ''))
    if (!result) {
      response.destroy()
      throw new ApiFailure(response.statusCode ?? 0, {}, 'bytes without a word about them')
    }
    return { response, result }
  }

  [Symbol.dispose](): void {
    this.#exchange[Symbol.dispose]()
  }

  async #authorized(
    signal: AbortSignal | undefined,
    send: (authorization: { Authorization: string }) => Promise<IncomingMessage>,
  ): Promise<IncomingMessage> {
    const token = await this.#tokens.get(signal)
    try {
      return await this.#accepted(await send({ Authorization: `Bearer ${token}` }))
    } catch (error) {
      if (!this.#tokens.canRenew || !isStale(error)) throw error
    }
    const renewed = await this.#tokens.renew(token, signal)
    return this.#accepted(await send({ Authorization: `Bearer ${renewed}` }))
  }

  async #accepted(response: IncomingMessage): Promise<IncomingMessage> {
    const { statusCode = 0 } = response
    if (statusCode === 200 || statusCode === 206) return response
    throw failureOf(response, await readText(response), this.#tokens.secrets)
  }

  async #object(response: IncomingMessage): Promise<JsonObject> {
    const text = await readText(response)
    const object = text === 'null' ? {} : parseObject(text)
    if (!object) throw new ApiFailure(200, {}, 'something that is no JSON')
    return object
  }
}

function isStale(error: unknown): boolean {
  return (
    error instanceof ApiFailure && (error.has('expired_access_token') || error.has('invalid_access_token'))
  )
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response as AsyncIterable<string>) {
    text += part
    if (text.length > MOST_CHARACTERS) throw new ApiFailure(response.statusCode ?? 0, {}, 'without end')
  }
  return text
}

async function* held(
  bytes: Uint8Array,
  { beforeLast, ...options }: UploadOptions,
): AsyncGenerator<Uint8Array> {
  let sent = 0
  for await (const piece of pieces(bytes, options)) {
    sent += piece.length
    if (sent === bytes.length) await beforeLast?.()
    yield piece
  }
}
