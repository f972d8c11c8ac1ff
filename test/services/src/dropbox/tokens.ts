import { createHash, randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ApiError, authError, badInput } from './api-error.ts'

/** How long what is shown in the browser can be exchanged for tokens. */
const CODE_MS = 10 * 60 * 1000
const ALL_SCOPES = ['account_info.read', 'files.content.read', 'files.content.write', 'files.metadata.read']

interface Grant {
  readonly scopes: readonly string[]
  /** Whether it was asked for with a code challenge: then its refresh needs no secret. */
  readonly pkce: boolean
  revoked: boolean
}

interface Code {
  readonly challenge: { readonly text: string; readonly method: string } | undefined
  readonly offline: boolean
  readonly scopes: readonly string[]
  readonly until: number
}

export interface TokenOptions {
  readonly appKey: string
  readonly appSecret: string
  readonly accessTokenSeconds: number
  readonly now: () => number
}

/** The OAuth 2 side: https://www.dropbox.com/developers/documentation/http/documentation#oauth2-authorize */
export class Tokens {
  readonly #options: TokenOptions
  readonly #codes = new Map<string, Code>()
  readonly #refresh = new Map<string, Grant>()
  readonly #access = new Map<string, { readonly grant: Grant; until: number }>()
  /** How often an access token was given out. */
  given = 0

  constructor(options: TokenOptions) {
    this.#options = options
  }

  /** What a person does in the browser with the URL of `/oauth2/authorize`: allow it. @returns the code that the page shows */
  authorize(url: string): string {
    const { origin, pathname, searchParams: asked } = new URL(url)
    if (`${origin}${pathname}` !== 'https://www.dropbox.com/oauth2/authorize')
      throw new Error(`not the page: ${url}`)
    if (asked.get('client_id') !== this.#options.appKey) throw new Error('Invalid client_id')
    if (asked.get('response_type') !== 'code') throw new Error('Invalid response_type')
    const text = asked.get('code_challenge')
    const method = asked.get('code_challenge_method') ?? 'plain'
    if (text !== null && !/^[\w.~-]{43,128}$/.test(text)) throw new Error('Invalid code_challenge')
    if (!['plain', 'S256'].includes(method)) throw new Error('Invalid code_challenge_method')
    const scopes = asked.get('scope')?.split(' ') ?? ALL_SCOPES
    const unknown = scopes.find((scope) => !ALL_SCOPES.includes(scope))
    if (unknown !== undefined) throw new Error(`Invalid scope: ${unknown}`)
    const code = randomBytes(24).toString('base64url')
    this.#codes.set(code, {
      challenge: text === null ? undefined : { text, method },
      offline: asked.get('token_access_type') === 'offline',
      scopes,
      until: this.#options.now() + CODE_MS,
    })
    return code
  }

  /** A refresh token as if somebody had logged in. */
  grant(scopes: readonly string[] = ALL_SCOPES, pkce = true): string {
    const token = randomBytes(32).toString('base64url')
    this.#refresh.set(token, { scopes, pkce, revoked: false })
    return token
  }

  accessFor(refreshToken: string): string {
    const grant = this.#refresh.get(refreshToken)
    if (!grant) throw new Error('no such refresh token')
    return this.#newAccess(grant)
  }

  expireAccess(): void {
    for (const token of this.#access.values()) token.until = this.#options.now()
  }

  /** As when the user removes the app in the settings of the account. */
  revoke(): void {
    for (const grant of this.#refresh.values()) grant.revoked = true
  }

  /** `/oauth2/token` */
  exchange(form: URLSearchParams, authorization: string | undefined): object {
    const secret = this.#client(form, authorization)
    const type = form.get('grant_type')
    if (type === 'authorization_code') return this.#fromCode(form, secret)
    if (type === 'refresh_token') return this.#fromRefresh(form, secret)
    throw oauthError('unsupported_grant_type', 'grant type is not supported')
  }

  /** @throws ApiError unless the request's token is good for the scope */
  check(route: string, scope: string, headers: IncomingHttpHeaders): void {
    const { authorization } = headers
    if (authorization === undefined)
      throw badInput(route, 'Must provide HTTP header "Authorization" or URL parameter "authorization".')
    const token = /^Bearer (\S+)$/.exec(authorization)?.[1]
    if (token === undefined) {
      const what = `Invalid authorization value in HTTP header "Authorization": "${authorization}".`
      throw badInput(route, `${what}  Expecting "Bearer <oauth2-access-token>".`)
    }
    if (!/^sl\.[\w-]{40,}$/.test(token)) throw badInput(route, 'The given OAuth 2 access token is malformed.')
    const access = this.#access.get(token)
    if (!access || access.grant.revoked) throw authError({ '.tag': 'invalid_access_token' })
    if (access.until <= this.#options.now()) throw authError({ '.tag': 'expired_access_token' })
    if (!access.grant.scopes.includes(scope))
      throw authError({ '.tag': 'missing_scope', required_scope: scope })
  }

  /** @returns whether the client has shown its secret */
  #client(form: URLSearchParams, authorization: string | undefined): boolean {
    const basic = Buffer.from(/^Basic (.+)$/.exec(authorization ?? '')?.[1] ?? '', 'base64').toString()
    const [basicId, basicSecret] = basic === '' ? [] : basic.split(':')
    const id = basicId ?? form.get('client_id')
    const secret = basicSecret ?? form.get('client_secret') ?? undefined
    const { appKey, appSecret } = this.#options
    if (id !== appKey || (secret !== undefined && secret !== appSecret))
      throw oauthError('invalid_client', 'Invalid client_id or client_secret')
    return secret !== undefined
  }

  #fromCode(form: URLSearchParams, secret: boolean): object {
    const text = form.get('code') ?? ''
    const code = this.#codes.get(text)
    if (!code || code.until <= this.#options.now())
      throw oauthError('invalid_grant', "code doesn't exist or has expired")
    if (code.challenge) {
      const verifier = form.get('code_verifier') ?? ''
      const { text: challenge, method } = code.challenge
      const shown = method === 'S256' ? createHash('sha256').update(verifier).digest('base64url') : verifier
      if (shown !== challenge) throw oauthError('invalid_grant', 'invalid code verifier')
    } else if (!secret) throw oauthError('invalid_client', 'Invalid client_id or client_secret')
    this.#codes.delete(text)
    const refresh = this.grant(code.scopes, code.challenge !== undefined)
    return {
      ...this.#answer(refresh),
      ...(code.offline && { refresh_token: refresh }),
      scope: code.scopes.join(' '),
      uid: '12345',
      account_id: 'dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc',
    }
  }

  #fromRefresh(form: URLSearchParams, secret: boolean): object {
    const token = form.get('refresh_token') ?? ''
    const grant = this.#refresh.get(token)
    if (!grant || grant.revoked) throw oauthError('invalid_grant', 'refresh token is invalid or revoked')
    if (!grant.pkce && !secret) throw oauthError('invalid_client', 'Invalid client_id or client_secret')
    return this.#answer(token)
  }

  #answer(refreshToken: string): object {
    return {
      access_token: this.accessFor(refreshToken),
      token_type: 'bearer',
      expires_in: this.#options.accessTokenSeconds,
    }
  }

  #newAccess(grant: Grant): string {
    const token = `sl.${randomBytes(48).toString('base64url')}`
    this.given++
    this.#access.set(token, {
      grant,
      until: this.#options.now() + this.#options.accessTokenSeconds * 1000,
    })
    return token
  }
}

function oauthError(error: string, description: string): ApiError {
  return new ApiError(400, { error, error_description: description })
}
