import type { IncomingMessage } from 'node:http'
import { retryAfterOf } from '@pipe-backup/http'
import { isJsonObject, type JsonObject, parseObject } from './json.ts'

/** An answer of Dropbox that is no success. `toSinkError` says what it means. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly status: number
  /** The tags of its unions, from the outermost: `path`, `conflict`, `file`. */
  readonly tags: readonly string[]
  /** The error itself. */
  readonly detail: JsonObject
  readonly retryAfterMs: number | undefined

  constructor(status: number, detail: JsonObject, text = '', retryAfterMs?: number) {
    const tags = tagsOf(detail)
    super(`${status} ${tags.join('/') || text}`.trim())
    this.status = status
    this.tags = tags
    this.detail = detail
    this.retryAfterMs = retryAfterMs
  }

  has(tag: string): boolean {
    return this.tags.includes(tag)
  }
}

const SHOWN_CHARACTERS = 200
const MAX_LEVELS = 16

/** @param secrets - what must not be in the message: Dropbox repeats a header that it does not understand */
export function failureOf(response: IncomingMessage, text: string, secrets: readonly string[]): ApiFailure {
  const { statusCode = 0, headers } = response
  const body = parseObject(text)
  // What OAuth answers has a string there: {"error": "invalid_grant", "error_description": "…"}
  const error = body?.['error']
  const detail = isJsonObject(error) ? error : { '.tag': typeof error === 'string' ? error : '' }
  const askedMs = retryAfterOf(headers['retry-after'] ?? detail['retry_after'])
  const hidden = secrets.filter((secret) => secret !== '')
  const shown = body
    ? ''
    : oneLine(hidden.reduce((left, secret) => left.replaceAll(secret, '[secret]'), text))
  return new ApiFailure(statusCode, detail, shown, askedMs)
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, SHOWN_CHARACTERS)
}

/** Of the first levels: Dropbox has four. */
function tagsOf(error: JsonObject): string[] {
  const tags: string[] = []
  let at: unknown = error
  for (let level = 0; level < MAX_LEVELS && isJsonObject(at); level++) {
    const tag: unknown = at['.tag']
    if (typeof tag === 'string' && /^\w{1,100}$/.test(tag)) tags.push(tag)
    const held: unknown = typeof tag === 'string' && tag !== '' ? at[tag] : undefined
    at = held ?? at['reason']
  }
  return tags
}
