import type { Connections } from '@pipe-backup/http'
import { SharedRequest } from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'
import { oauth } from './oauth.ts'

/** What a login has given. At least one of the tokens is there. */
export interface Credentials {
  readonly appKey?: string | undefined
  readonly appSecret?: string | undefined
  readonly refreshToken?: string | undefined
  readonly accessToken?: string | undefined
}

/** Part of its life in which an access token is no longer used: what is sent with it should arrive before its end. */
const LAST_PART = 0.05

interface AccessToken {
  readonly text: string
  /** When to get another one, in milliseconds of `now`. */
  readonly until: number
}

/** Access tokens that are good, as long as the refresh token is. */
export class AccessTokens {
  readonly #credentials: Credentials
  readonly #connections: Connections
  readonly #apiUrl: string
  readonly #now: () => number
  #current: AccessToken | undefined
  #refreshing: SharedRequest<AccessToken> | undefined

  constructor(credentials: Credentials, connections: Connections, apiUrl: string, now: () => number) {
    this.#credentials = credentials
    this.#connections = connections
    this.#apiUrl = apiUrl
    this.#now = now
    const { accessToken } = credentials
    if (accessToken !== undefined) this.#current = { text: accessToken, until: Number.POSITIVE_INFINITY }
  }

  /** Whether another can be had. */
  get canRenew(): boolean {
    return this.#credentials.refreshToken !== undefined
  }

  async get(signal?: AbortSignal): Promise<string> {
    const current = this.#current
    if (current && (this.#now() < current.until || !this.canRenew)) return current.text
    return this.#refresh(signal)
  }

  /** Another one than that, which was refused. */
  async renew(refused: string, signal?: AbortSignal): Promise<string> {
    const current = this.#current
    return current && current.text !== refused ? current.text : this.#refresh(signal)
  }

  /** What must never be shown. */
  get secrets(): readonly string[] {
    const { appSecret, refreshToken } = this.#credentials
    return [appSecret, refreshToken, this.#current?.text].filter((secret) => secret !== undefined)
  }

  async #refresh(signal: AbortSignal | undefined): Promise<string> {
    if (this.#refreshing?.isOver !== false)
      this.#refreshing = new SharedRequest((abandoned) => this.#request(abandoned))
    this.#current = await this.#refreshing.wait(signal)
    return this.#current.text
  }

  async #request(signal: AbortSignal): Promise<AccessToken> {
    const { appKey = '', appSecret, refreshToken = '' } = this.#credentials
    const places = { connections: this.#connections, apiUrl: this.#apiUrl, signal }
    const auth = await oauth({ ...places, appKey, appSecret, refreshToken })
    await auth.refreshAccessToken()
    const token: unknown = auth.getAccessToken()
    const leftMs = auth.getAccessTokenExpiresAt().getTime() - Date.now()
    if (typeof token !== 'string' || !Number.isFinite(leftMs))
      throw new ApiFailure(200, {}, 'the answer has no access token')
    return { text: token, until: this.#now() + leftMs * (1 - LAST_PART) }
  }
}
