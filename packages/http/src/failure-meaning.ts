/** What can be said of a request that failed. */
export type FailureCode =
  | 'not-found'
  | 'exists'
  | 'range'
  | 'full'
  | 'too-large'
  | 'unauthorized'
  | 'forbidden'
  | 'throttled'
  | 'unreachable'
  | 'timeout'
  | 'protocol'

/** What a failure means: whether another try makes sense follows from the code alone (`isPassing`). */
export interface FailureMeaning {
  readonly code: FailureCode
  /** What happened, without sink and key. */
  readonly what: string
  /** What to do about it. */
  readonly hint?: string | undefined
}

const PASSING: ReadonlySet<string> = new Set(['throttled', 'unreachable', 'timeout'] satisfies FailureCode[])

/** Whether the same request may succeed later without anybody doing anything: the one place that says so. */
export function isPassing(code: string): boolean {
  return PASSING.has(code)
}

/** Words for messages: what is on the other side, and which options say where it is. */
export interface Peer {
  /** `the server`, `the store`. */
  readonly who?: string | undefined
  /** `Check …`: the options that have its address. */
  readonly address?: string | undefined
}

type Meaning = (who: string, address: string) => FailureMeaning

const fails =
  (code: FailureCode, what: string, hint?: string): Meaning =>
  (who, address) => ({
    code,
    what: what.replace('%who', who),
    hint: hint?.replace('%address', address),
  })

const BROKEN = fails('unreachable', 'the connection broke')
const NO_WAY = fails('unreachable', 'there is no way to %who')
const NO_NETWORK = fails('unreachable', 'the network is down')
const UNKNOWN_NAME = fails('unreachable', 'the name of %who is not known', 'Check %address.')
const SILENT = fails('timeout', '%who does not answer')
const NO_TLS = fails(
  'protocol',
  'no secure connection can be made',
  'Check %address: is it https:, and the right port?',
)
const TRUST =
  'For an authority of your own, name the file of its certificate in NODE_EXTRA_CA_CERTS, or in `ca` where the sink has that.'
const UNTRUSTED = fails('unauthorized', 'the certificate of %who is not trusted', TRUST)

/** Error codes of Node.js, of the system and of its TLS library. */
const NETWORK: Readonly<Record<string, Meaning>> = {
  ECONNRESET: BROKEN,
  ECONNABORTED: BROKEN,
  EPIPE: BROKEN,
  ERR_STREAM_PREMATURE_CLOSE: BROKEN,
  HPE_INVALID_EOF_STATE: BROKEN,
  ECONNREFUSED: fails('unreachable', '%who takes no connection', 'Check %address.'),
  EHOSTUNREACH: NO_WAY,
  EHOSTDOWN: NO_WAY,
  ENETUNREACH: NO_WAY,
  ENETDOWN: NO_NETWORK,
  EADDRNOTAVAIL: NO_NETWORK,
  ENOTFOUND: UNKNOWN_NAME,
  EAI_AGAIN: UNKNOWN_NAME,
  ETIMEDOUT: SILENT,
  ERR_PROXY_TUNNEL: fails(
    'unreachable',
    'the proxy makes no connection to %who',
    'Check HTTPS_PROXY and NO_PROXY in the environment.',
  ),
  EPROTO: NO_TLS,
  CERT_HAS_EXPIRED: fails(
    'unauthorized',
    'the certificate of %who has expired',
    'Have it renewed. Is the clock right?',
  ),
  CERT_NOT_YET_VALID: fails(
    'unauthorized',
    'the certificate of %who is not valid yet',
    'Set the clock: run an NTP client.',
  ),
  ERR_TLS_CERT_ALTNAME_INVALID: fails(
    'unauthorized',
    'the certificate of %who is for another name',
    'Check %address.',
  ),
}

/** What OpenSSL says of a chain that leads to no authority that is trusted: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CHAIN = /^(?:CERT_|CRL_|UNABLE_TO_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)|SELF_SIGNED_CERT/
const TLS = /^ERR_(?:SSL|TLS)_/

/**
 * What an error of a connection means: the one table of what may pass by itself and what does not.
 * @returns undefined for what is none
 */
export function networkMeaning(cause: unknown, peer: Peer = {}): FailureMeaning | undefined {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined
  const { code } = cause
  const meaning =
    NETWORK[code] ??
    (CHAIN.test(code) ? UNTRUSTED : undefined) ??
    (TLS.test(code) ? NO_TLS : undefined) ??
    (code.startsWith('HPE_')
      ? fails('protocol', 'what answers does not speak HTTP', 'Check %address.')
      : undefined) ??
    (isOfSocket(cause) ? BROKEN : undefined)
  if (!meaning) return undefined
  const { who = 'the server', address = 'the address' } = peer
  const meant = meaning(who, address)
  return { ...meant, what: `${meant.what} (${code})` }
}

function isOfSocket(error: Error): boolean {
  return (
    'syscall' in error &&
    /^(?:connect|getaddrinfo|read|write)$/.test(String(error.syscall)) &&
    !('path' in error)
  )
}

const FREE_SOME = 'Free some, or lower `keep`, then run `pipe-backup heal`.'

/** Of HTTP, and of RFC 4918. */
const STATUS: Readonly<Record<number, Meaning>> = {
  401: fails('unauthorized', '%who does not accept the credentials'),
  403: fails('forbidden', '%who does not allow it'),
  404: fails('not-found', 'is not there'),
  408: fails('timeout', '%who has waited in vain for more'),
  412: fails('exists', 'exists already'),
  413: fails(
    'too-large',
    'is larger than %who takes',
    'Have its administrator raise the limit of a request.',
  ),
  416: fails('range', 'has no such range'),
  423: fails('throttled', 'is locked by a request that %who still works on'),
  425: fails('throttled', '%who asks to come back later'),
  429: fails('throttled', '%who asks to slow down'),
  501: fails('protocol', '%who does not know this request (501)'),
  502: fails('unreachable', 'what is behind the proxy does not answer (502)'),
  503: fails('throttled', '%who is busy, or in maintenance (503)'),
  504: fails('timeout', 'the proxy has waited in vain for %who, which may still be at work (504)'),
  505: fails('protocol', '%who does not speak this HTTP (505)'),
  507: fails('full', 'not stored: %who has no space left (507)', FREE_SOME),
  509: fails('throttled', 'the limit of transfers is used up (509)'),
}

/**
 * What a status of HTTP means, where the protocol above it says no more: the one table.
 * @returns undefined for a success or a redirect
 */
export function statusMeaning(status: number, peer: Peer = {}): FailureMeaning | undefined {
  if (status < 400) return undefined
  const { who = 'the server', address = 'the address' } = peer
  const unknown =
    status >= 500
      ? fails('unreachable', `%who has failed (${status})`)
      : fails('protocol', `the answer of %who is not what it should be (${status})`)
  return (STATUS[status] ?? unknown)(who, address)
}

/** Retry-After: seconds, or a date. @returns milliseconds; undefined when it is neither */
export function retryAfterOf(said: unknown): number | undefined {
  if (typeof said !== 'string' && typeof said !== 'number') return undefined
  const asked = String(said)
  const ms = /^\d+(?:\.\d+)?$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}
