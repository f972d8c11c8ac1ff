import type { IncomingMessage } from 'node:http'
import { Connections, exchange } from '@pipe-backup/http'
import { pieces, type SinkOptions } from '@pipe-backup/sink'
import type { Dropbox } from 'dropbox'
import { AccessTokens, type Credentials } from './access-tokens.ts'
import { ApiFailure, failureOf } from './api-failure.ts'
import { isJsonObject, type JsonObject, parseObject } from './json.ts'

export interface ApiOptions extends Credentials {
  readonly apiUrl: string
  readonly contentUrl: string
  readonly now: () => number
}

export interface UploadOptions extends SinkOptions {
  /** Waited for before the last piece of the body goes out: what follows from the call follows then. */
  readonly beforeLast?: (() => Promise<void>) | undefined
}

/** A call of the SDK. Nothing of its result is believed before it is looked at. */
type Call = (dropbox: Dropbox) => Promise<{ readonly result: unknown }>

/** What one call sends beside what the SDK does, and who takes the answer. */
interface Sending {
  readonly signal: AbortSignal | undefined
  /** The body, in place of the SDK's. */
  readonly pieces?: (() => AsyncIterable<Uint8Array>) | undefined
  readonly sizeBytes?: number | undefined
  /** Is given the answer, whose body it reads or destroys, in place of the SDK. */
  readonly take?: ((response: IncomingMessage) => void) | undefined
}

/** Dropbox keeps idle connections for longer. */
const IDLE_MS = 15_000
/** No answer in JSON is longer: a page of a listing has some 600 KB, and finishing a thousand uploads as much. */
const MAX_CHARACTERS = 64 * 1024 * 1024

/**
 * Dropbox's API, version 2, by its SDK. An access token that has expired is renewed once, and the call made again.
 * Calls fail with `ApiFailure`, or with what the network has to say.
 * @see https://www.dropbox.com/developers/documentation/http/documentation
 */
export class DropboxApi implements Disposable {
  readonly #options: ApiOptions
  readonly #connections = new Connections({ idleMs: IDLE_MS })
  readonly #tokens: AccessTokens

  constructor(options: ApiOptions) {
    this.#options = options
    this.#tokens = new AccessTokens(options, this.#connections, options.apiUrl, options.now)
  }

  /** JSON to JSON. */
  rpc(call: Call, signal?: AbortSignal): Promise<JsonObject> {
    return this.#authorized(signal, async (token) => {
      return objectOf(await call(await this.#dropbox(token, { signal })))
    })
  }

  /** Bytes to JSON; `{}` where the answer is null. */
  upload(call: Call, bytes: Uint8Array, options: UploadOptions = {}): Promise<JsonObject> {
    return this.#authorized(options.signal, async (token) => {
      const { signal } = options
      const body = { pieces: () => held(bytes, options), sizeBytes: bytes.length, signal }
      return objectOf(await call(await this.#dropbox(token, body)))
    })
  }

  /** JSON to bytes, which are the caller's to read, or to destroy. */
  download(
    call: Call,
    signal?: AbortSignal,
  ): Promise<{ readonly response: IncomingMessage; readonly result: JsonObject }> {
    return this.#authorized(signal, async (token) => {
      const { promise: response, resolve: take } = Promise.withResolvers<IncomingMessage>()
      const result = objectOf(await call(await this.#dropbox(token, { signal, take })))
      return { response: await response, result }
    })
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]()
  }

  /** The SDK for one call, whose requests go over our connections and whose bytes do not go through its memory. */
  async #dropbox(token: string, sending: Sending): Promise<Dropbox> {
    const sdk = await import('dropbox')
    const fetch = async (
      address: string,
      { headers, body }: { headers: Record<string, string>; body?: string | null },
    ): Promise<Response> => {
      const { hostname, pathname } = new URL(address)
      const { apiUrl, contentUrl } = this.#options
      const base = hostname.startsWith('content.') ? contentUrl : apiUrl
      const text = Buffer.from(body ?? '')
      const response = await exchange(this.#connections, {
        method: 'POST',
        url: new URL(`${base}${pathname}`),
        headers,
        body: { pieces: sending.pieces ?? (() => [text]), sizeBytes: sending.sizeBytes ?? text.length },
        signal: sending.signal,
      })
      const { statusCode = 0 } = response
      if (statusCode !== 200 && statusCode !== 206)
        throw failureOf(response, await readText(response), this.#tokens.secrets)
      if (!sending.take) return new Response(await readText(response))
      const said = String(response.headers['dropbox-api-result'] ?? '')
      if (!parseObject(said)) {
        response.destroy()
        throw new ApiFailure(statusCode, {}, 'bytes without a word about them')
      }
      sending.take(response)
      return new Response(null, { headers: { 'dropbox-api-result': said } })
    }
    return new sdk.Dropbox({ accessToken: token, fetch })
  }

  async #authorized<T>(signal: AbortSignal | undefined, send: (token: string) => Promise<T>): Promise<T> {
    const token = await this.#tokens.get(signal)
    try {
      return await send(token)
    } catch (error) {
      if (!this.#tokens.canRenew || !isStale(error)) throw error
    }
    return send(await this.#tokens.renew(token, signal))
  }
}

function objectOf({ result }: { readonly result: unknown }): JsonObject {
  if (result === null) return {}
  if (!isJsonObject(result)) throw new ApiFailure(200, {}, 'something that is no JSON')
  return result
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
    if (text.length > MAX_CHARACTERS) throw new ApiFailure(response.statusCode ?? 0, {}, 'without end')
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
