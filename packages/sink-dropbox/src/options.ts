export const API_URL = 'https://api.dropboxapi.com'

/** Where a Dropbox is, and how to get in. */
export interface DropboxSinkOptions {
  readonly name: string
  /** Of the app in the account's App Console; with a refresh token it is needed. */
  readonly appKey?: string | undefined
  /** Only for a login that was made with it: one by PKCE has none. */
  readonly appSecret?: string | undefined
  /** What `pipe-backup dropbox login` gives: it stays good until it is withdrawn. */
  readonly refreshToken?: string | undefined
  /** Good for some four hours; with a refresh token it is renewed by itself. */
  readonly accessToken?: string | undefined
  /** Folder below the root of the app folder, or of the Dropbox. Default: that root. */
  readonly path?: string | undefined
  /** Default https://api.dropboxapi.com; for a proxy. Tokens are renewed at its /oauth2/token. */
  readonly apiUrl?: string | undefined
  /** Default https://content.dropboxapi.com; for a proxy. */
  readonly contentUrl?: string | undefined
  /** Milliseconds since 1970; given by tests. */
  readonly now?: (() => number) | undefined
}

export interface CheckedOptions {
  readonly name: string
  /** '' or `/folder/below`. */
  readonly root: string
  readonly api: {
    readonly appKey: string | undefined
    readonly appSecret: string | undefined
    readonly refreshToken: string | undefined
    readonly accessToken: string | undefined
    readonly apiUrl: string
    readonly contentUrl: string
    readonly now: () => number
  }
}

/** @throws TypeError that says which option is wrong, and shows no secret */
export function checkOptions(options: DropboxSinkOptions): CheckedOptions {
  const { name, appKey, appSecret, refreshToken, accessToken, path = '', now = Date.now } = options
  if (refreshToken === undefined && accessToken === undefined)
    throw new TypeError('dropbox: refreshToken is missing; run `pipe-backup dropbox login`')
  if (refreshToken !== undefined && appKey === undefined)
    throw new TypeError('dropbox: appKey is missing: the refresh token is good for that app alone')
  for (const [option, value] of Object.entries({ appKey, appSecret, refreshToken, accessToken }))
    if (value !== undefined) checkText(option, value)
  return {
    name,
    root: rootOf(path),
    api: {
      appKey,
      appSecret,
      refreshToken,
      accessToken,
      apiUrl: urlOf('apiUrl', options.apiUrl ?? API_URL),
      contentUrl: urlOf('contentUrl', options.contentUrl ?? 'https://content.dropboxapi.com'),
      now,
    },
  }
}

/** Keys and tokens go into headers. @throws TypeError */
export function checkText(option: string, value: string): void {
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new TypeError(`dropbox: ${option} is empty, or has spaces or odd characters in it`)
}

function rootOf(path: string): string {
  const names = path.split('/').filter((name) => name !== '')
  const bad = names.find((name) => name === '.' || name === '..' || /[\\\p{Cc}]|^\s|\s$/u.test(name))
  if (bad !== undefined) throw new TypeError(`dropbox: path can't have ${JSON.stringify(bad)} in it`)
  return names.map((name) => `/${name}`).join('')
}

/** Tokens go there: in the clear to this machine alone. */
export function urlOf(option: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(url?.hostname ?? '')
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)))
    throw new TypeError(`dropbox: ${option} must be a URL that begins with https://`)
  if (`${url.search}${url.hash}${url.username}${url.password}` !== '')
    throw new TypeError(`dropbox: ${option} must be no more than a scheme, a host and a path`)
  return url.href.replace(/\/+$/, '')
}
