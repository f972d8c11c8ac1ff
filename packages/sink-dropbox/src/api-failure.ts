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

function tagsOf(error: JsonObject): string[] {
  const tag = error['.tag']
  const held = typeof tag === 'string' && tag !== '' ? error[tag] : undefined
  const inner = held ?? error['reason']
  const own = typeof tag === 'string' && /^\w+$/.test(tag) ? [tag] : []
  return isJsonObject(inner) ? [...own, ...tagsOf(inner)] : own
}
