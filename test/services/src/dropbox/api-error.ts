/** A union's member as the API writes it: the tag, and what the member holds. */
export interface Tagged {
  readonly '.tag': string
  readonly [field: string]: unknown
}

/** An answer that is no success. */
export class ApiError extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string

  constructor(status: number, body: string | object, headers: Readonly<Record<string, string>> = {}) {
    const json = typeof body === 'object'
    super(json ? JSON.stringify(body) : body)
    this.status = status
    this.headers = {
      'Content-Type': json ? 'application/json' : 'text/plain; charset=utf-8',
      ...headers,
    }
    this.body = this.message
  }
}

/** 400: the call itself is wrong. In plain text. */
export function badInput(route: string, what: string): ApiError {
  return new ApiError(400, `Error in call to API function "${route}": ${what}`)
}

/** 401: who is calling. */
export function authError(error: Tagged): ApiError {
  return new ApiError(401, summed(error))
}

/** 409: an error of the route's own union. */
export function routeError(error: Tagged): ApiError {
  return new ApiError(409, summed(error))
}

/** 429, for too many requests, or for a namespace that is being written to by somebody else. */
export function rateLimited(
  reason: 'too_many_requests' | 'too_many_write_operations',
  retryAfter: number,
): ApiError {
  const body = {
    error_summary: `${reason}/${dots()}`,
    error: { reason: { '.tag': reason }, retry_after: retryAfter },
  }
  return new ApiError(429, body, { 'Retry-After': String(retryAfter) })
}

function summed(error: Tagged): object {
  return { error_summary: `${tagsOf(error).join('/')}/${dots()}`, error }
}

function tagsOf(error: Tagged): string[] {
  const tag = error['.tag']
  const inner = error[tag] ?? error['reason']
  return isTagged(inner) ? [tag, ...tagsOf(inner)] : [tag]
}

function isTagged(value: unknown): value is Tagged {
  return typeof value === 'object' && value !== null && '.tag' in value
}

/** Dropbox ends its summaries with a changing number of dots, so that nobody parses them. */
function dots(): string {
  return '.'.repeat(Math.floor(Math.random() * 4))
}

/** A void member, or one that holds another union's member under its own name: `tagged('path', tagged('not_found'))`. */
export function tagged(tag: string, inner?: Tagged): Tagged {
  return { '.tag': tag, ...(inner && { [tag]: inner }) }
}
