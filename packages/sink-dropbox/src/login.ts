import { Connections } from '@pipe-backup/http'
import { SinkError } from '@pipe-backup/sink'
import type { DropboxAuth } from 'dropbox'
import { ApiFailure } from './api-failure.ts'
import { toSinkError } from './dropbox-errors.ts'
import { isJsonObject } from './json.ts'
import { oauth } from './oauth.ts'
import { API_URL, checkText, urlOf } from './options.ts'

/** All that a sink needs, and no more. */
const SCOPES = ['account_info.read', 'files.content.read', 'files.content.write', 'files.metadata.read']
/** The page shows the code, and no server waits for it; the SDK's types want an address all the same. */
const NO_REDIRECT = ''

export interface DropboxLoginOptions {
  /** Of the app in the account's App Console. No secret is needed. */
  readonly appKey: string
  /** Shows a person the page to open, and asks for the code that it shows once the app was allowed. No secret is in the address. */
  readonly ask: (url: string) => Promise<string>
  /** Default https://api.dropboxapi.com; for a proxy. */
  readonly apiUrl?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface DropboxLogin {
  /** The secret to keep: it stays good until it is withdrawn in the settings of the account. */
  readonly refreshToken: string
  /** Good for some hours. */
  readonly accessToken: string
  readonly accountId: string | undefined
}

/**
 * Logs in by OAuth 2 with PKCE: no server waits for the answer, and what the page shows is of no use to anybody else.
 * @throws SinkError `unauthorized` when the code is none, too old, or of another login; TypeError for options that can't be meant
 * @see https://www.dropbox.com/developers/documentation/http/documentation#oauth2-authorize, RFC 7636
 */
export async function dropboxLogin(options: DropboxLoginOptions): Promise<DropboxLogin> {
  const { appKey, ask, apiUrl = API_URL, signal } = options
  checkText('appKey', appKey)
  const url = urlOf('apiUrl', apiUrl)
  using connections = new Connections()
  const auth = await oauth({ connections, apiUrl: url, appKey, signal })
  const code = (await ask(await pageOf(auth))).trim()
  signal?.throwIfAborted()
  if (code === '') throw refused('no code was given')
  try {
    const { result } = await auth.getAccessTokenFromCode(NO_REDIRECT, encodeURIComponent(code))
    const answer = isJsonObject(result) ? result : {}
    const { refresh_token: refreshToken, access_token: accessToken, account_id: accountId } = answer
    if (typeof refreshToken !== 'string' || typeof accessToken !== 'string')
      throw new ApiFailure(200, {}, 'without a refresh token')
    return { refreshToken, accessToken, accountId: typeof accountId === 'string' ? accountId : undefined }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof ApiFailure && error.has('invalid_grant'))
      throw refused('the code is not valid, too old, or of another login', error)
    throw toSinkError(error, 'dropbox')
  }
}

async function pageOf(auth: DropboxAuth): Promise<string> {
  const page = await auth.getAuthenticationUrl(
    NO_REDIRECT,
    undefined,
    'code',
    'offline',
    SCOPES,
    'none',
    true,
  )
  const url = new URL(String(page))
  // As the documentation has it: the SDK's leads there by another step.
  url.hostname = 'www.dropbox.com'
  return url.href
}

function refused(what: string, cause?: ApiFailure): SinkError {
  const hint = 'Begin the login again, and give the code that the page shows.'
  return new SinkError('unauthorized', what, { sink: 'dropbox', hint, cause })
}
