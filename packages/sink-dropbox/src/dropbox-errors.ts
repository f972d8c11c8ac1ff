import { SinkError, type SinkErrorCode } from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'
import { CLOSED } from './exchange.ts'

type Meaning = readonly [code: SinkErrorCode, what: string, hint?: string]

const LOGIN = 'Run `pipe-backup dropbox login` to connect it again.'
const WRITE_ACCESS = 'Look at the app and the folder in the settings of the account.'

/** By tag, the first that is found; outer ones that change the meaning of inner ones stand before them. */
const TAGS: readonly (readonly [tag: string, meaning: Meaning])[] = [
  ['lookup_failed', ['unreachable', 'Dropbox has lost the upload']],
  ['too_many_write_operations', ['throttled', 'somebody else is writing to this Dropbox']],
  ['too_many_requests', ['throttled', 'too many requests']],
  [
    'insufficient_space',
    ['full', 'not stored: Dropbox is full', 'Free some space, or lower `keep`, then run `pipe-backup heal`.'],
  ],
  ['file_ancestor', ['refused-key', 'not stored: there is a file where a folder must be']],
  ['folder', ['refused-key', 'not stored: there is a folder of this name']],
  ['conflict', ['exists', 'exists already']],
  ['not_found', ['not-found', 'is not there']],
  ['not_file', ['not-found', 'is not there: it is a folder']],
  ['not_folder', ['not-found', 'is not there: it is a file']],
  ['content_hash_mismatch', ['corrupt', 'not stored: other bytes arrived than were sent']],
  ['payload_too_large', ['too-large', 'not stored: too large for one request']],
  ['too_large', ['too-large', 'not stored: too large for Dropbox']],
  ['malformed_path', ['refused-key', 'Dropbox does not take this path']],
  ['disallowed_name', ['refused-key', 'Dropbox does not take this name']],
  ['no_write_permission', ['forbidden', 'no permission to write there', WRITE_ACCESS]],
  ['access_restricted', ['forbidden', "the team's administrator does not allow it", WRITE_ACCESS]],
  ['team_folder', ['forbidden', 'not allowed with a team folder', WRITE_ACCESS]],
  ['operation_suppressed', ['forbidden', 'not allowed at this path', WRITE_ACCESS]],
  ['restricted_content', ['forbidden', 'Dropbox has restricted this content']],
  ['locked', ['forbidden', 'is locked']],
  ['reset', ['unreachable', 'the listing was interrupted: it has to begin anew']],
  ['internal_error', ['unreachable', 'Dropbox failed']],
  ['expired_access_token', ['unauthorized', 'the access token has expired', LOGIN]],
  ['invalid_access_token', ['unauthorized', 'the access token is not valid, or was withdrawn', LOGIN]],
  ['user_suspended', ['forbidden', 'the account is suspended']],
  ['invalid_grant', ['unauthorized', 'the login is not valid, or was withdrawn', LOGIN]],
  ['invalid_client', ['unauthorized', 'Dropbox does not know this app', 'Check `appKey` and `appSecret`.']],
]

/** Certificates that can't be verified do not mend themselves. */
const CERTIFICATE = /CERT|ISSUER|SIGNATURE/

/** The one place that knows what the answers of Dropbox, and of the network, mean for a sink. */
export function toSinkError(cause: unknown, sink: string, key?: string): unknown {
  const meaning = meaningOf(cause)
  if (!meaning) return cause
  const [code, what, hint] = meaning
  const retryAfterMs = cause instanceof ApiFailure ? cause.retryAfterMs : undefined
  return new SinkError(code, what, {
    sink,
    cause,
    // Who is asking has nothing to do with what was asked for.
    ...(key !== undefined && code !== 'unauthorized' && { key }),
    ...(hint !== undefined && { hint }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

function meaningOf(cause: unknown): Meaning | undefined {
  if (cause instanceof ApiFailure) return meaningOfFailure(cause)
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined
  if (cause.name === 'SinkError' || cause.name === 'AbortError') return undefined
  const { code } = cause
  if (code === CLOSED) return ['protocol', 'was closed while it was used']
  if (CERTIFICATE.test(code)) {
    const hint = 'When a proxy is in between, name its certificate in NODE_EXTRA_CA_CERTS.'
    return ['protocol', `the server's certificate is not good: ${code}`, hint]
  }
  if (code === 'ERR_PROXY_TUNNEL')
    return [
      'unreachable',
      'the proxy makes no connection to Dropbox',
      'Check HTTPS_PROXY and NO_PROXY in the environment.',
    ]
  if (code === 'ETIMEDOUT') return ['timeout', 'Dropbox does not answer']
  if (code.startsWith('HPE_'))
    return ['protocol', `no HTTP was answered: ${code}`, 'Check `apiUrl` and `contentUrl`.']
  return code.startsWith('ERR_') ? undefined : ['unreachable', `the connection failed: ${code}`]
}

function meaningOfFailure(failure: ApiFailure): Meaning {
  const { status, tags, message } = failure
  if (failure.has('missing_scope')) {
    const scope = failure.detail['required_scope']
    const missing = typeof scope === 'string' && /^[\w.]+$/.test(scope) ? scope : 'a permission'
    const hint = `Tick ${missing} in the app's settings, then run \`pipe-backup dropbox login\`.`
    return ['forbidden', `the app has no permission for this: ${missing}`, hint]
  }
  // Of a delete: the revision that was to go is no longer the last one.
  if (failure.has('path_write') && failure.has('conflict'))
    return ['throttled', 'was replaced while it was to be deleted']
  const known = TAGS.find(([tag]) => tags.includes(tag))
  if (known) return known[1]
  if (status === 401) return ['unauthorized', 'Dropbox does not accept the login', LOGIN]
  if (status === 400 && /OAuth|Authorization/i.test(message))
    return ['unauthorized', 'the access token is none', LOGIN]
  if (status === 403) return ['forbidden', 'Dropbox does not allow it', WRITE_ACCESS]
  if (status === 416) return ['range', 'is shorter than what was wanted of it']
  if (status === 429 || status === 503) return ['throttled', 'Dropbox asks to slow down']
  if (status === 507) return ['full', 'not stored: Dropbox is full', 'Free some space.']
  if (status >= 500) return ['unreachable', `Dropbox failed: ${message}`]
  return ['protocol', `Dropbox answered ${message}`]
}
