import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Context, MiddlewareHandler } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'

const TOKEN_BYTES = 32

/**
 * Who may use the page: whoever has the address that was printed, once. It is exchanged for a cookie, which no script can read and no
 * other site's page can send.
 */
export class Access {
  #token: string | undefined = randomBytes(TOKEN_BYTES).toString('base64url')
  readonly #cookie = randomBytes(TOKEN_BYTES).toString('base64url')
  readonly #port: () => number

  /** @param port - that the server listens on, once it does */
  constructor(port: () => number) {
    this.#port = port
  }

  /** The address to open, with the token. */
  get address(): string {
    return `http://127.0.0.1:${this.#port()}/?token=${this.#token ?? ''}`
  }

  /** Refuses what is not from the page itself. */
  readonly guard: MiddlewareHandler = async (c, next) => {
    const host = c.req.header('host') ?? ''
    // A name that somebody else has pointed at 127.0.0.1 must not make this page a part of his site.
    if (host !== `127.0.0.1:${this.#port()}` && host !== `localhost:${this.#port()}`)
      return refuse(c, 421, `this page is at http://127.0.0.1:${this.#port()}/`)
    const { method } = c.req
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST')
      return refuse(c, 405, 'only GET and POST are known here')
    if (method === 'POST' && c.req.header('origin') !== `http://${host}`)
      return refuse(c, 403, 'the request is from another page')
    const given = c.req.query('token')
    if (given !== undefined && c.req.path === '/') return this.#exchange(c, given)
    // A page of another port of this machine counts as the same site for cookies: browsers say here that it is another origin.
    const from = c.req.header('sec-fetch-site')
    if (from !== undefined && from !== 'same-origin' && from !== 'none')
      return refuse(c, 403, 'the request is from another page')
    if (!isSame(getCookie(c, this.#name()), this.#cookie))
      return refuse(c, 401, 'open the address that "pipe-backup ui" has printed; it works once')
    await next()
    return undefined
  }

  #exchange(c: Context, given: string): Response {
    if (this.#token === undefined || !isSame(given, this.#token))
      return refuse(c, 401, 'this address was used already: start "pipe-backup ui" again for another one')
    this.#token = undefined
    setCookie(c, this.#name(), this.#cookie, { httpOnly: true, sameSite: 'Strict', path: '/' })
    return c.redirect('/', 303)
  }

  /** Cookies are not kept apart by port: two of these pages must not overwrite each other's. */
  #name(): string {
    return `pipe-backup-${this.#port()}`
  }
}

function refuse(c: Context, status: 401 | 403 | 405 | 421, message: string): Response {
  if (c.req.path.startsWith('/api/')) return c.json({ error: { code: 'refused', message } }, status)
  return c.text(`${message}\n`, status)
}

function isSame(given: string | undefined, wanted: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}
