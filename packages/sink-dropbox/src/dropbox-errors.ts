import { CLOSED, type FailureMeaning, networkMeaning, statusMeaning } from '@pipe-backup/http'
import { SinkError, type SinkErrorCode } from '@pipe-backup/sink'
import { ApiFailure } from './api-failure.ts'

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
  ['reset', ['unreachable', 'the listing was interrupted: it has to begin again']],
  ['internal_error', ['unreachable', 'Dropbox failed']],
  ['expired_access_token', ['unauthorized', 'the access token has expired', LOGIN]],
  ['invalid_access_token', ['unauthorized', 'the access token is not valid, or was withdrawn', LOGIN]],
  ['user_suspended', ['forbidden', 'the account is suspended']],
  ['invalid_grant', ['unauthorized', 'the login is not valid, or was withdrawn', LOGIN]],
  ['invalid_client', ['unauthorized', 'Dropbox does not know this app', 'Check `appKey` and `appSecret`.']],
]

const DROPBOX = { who: 'Dropbox', address: '`apiUrl` and `contentUrl`' } as const

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
    key: code === 'unauthorized' ? undefined : key,
    hint,
    retryAfterMs,
  })
}

function meaningOf(cause: unknown): Meaning | undefined {
  if (cause instanceof ApiFailure) return meaningOfFailure(cause)
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined
  if (cause.name === 'SinkError' || cause.name === 'AbortError') return undefined
  const { code } = cause
  if (code === CLOSED) return ['protocol', 'was closed while it was used']
  const network = networkMeaning(cause, DROPBOX)
  return network && asTuple(network)
}

function asTuple({ code, what, hint }: FailureMeaning): Meaning {
  return hint === undefined ? [code, what] : [code, what, hint]
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
  const meant = statusMeaning(status, DROPBOX)
  // Of files it speaks by its tags alone: a 404 without one is no answer of Dropbox's.
  if (meant && !['protocol', 'not-found', 'exists'].includes(meant.code)) return asTuple(meant)
  return ['protocol', `Dropbox answered ${message}`]
}
