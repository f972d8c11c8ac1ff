import { SinkError, type SinkErrorCode } from '@pipe-backup/sink'
import { type HttpAnswer, readText } from './http-client.ts'

export interface ErrorPlace {
  readonly sink: string
  readonly key?: string | undefined
}

type Meaning = readonly [SinkErrorCode, string, string?]

const LOGIN =
  'Check `user` and `password`; where the login has a second factor, make an app password for this.'

/** Of HTTP and of RFC 4918. */
const STATUS: Readonly<Record<number, Meaning>> = {
  401: ['unauthorized', 'the server does not accept the credentials', LOGIN],
  403: ['forbidden', 'the server does not allow it', 'Check what the user may do there.'],
  404: ['not-found', 'is not there'],
  405: ['protocol', 'the server does not do that here', 'Is the address that of a WebDAV collection?'],
  408: ['timeout', 'the server has waited in vain for more'],
  409: ['protocol', 'the collection that it belongs to is not there'],
  411: [
    'protocol',
    'the server takes no stream of unknown length',
    'Have its administrator allow chunked requests.',
  ],
  412: ['exists', 'exists already'],
  413: [
    'too-large',
    'is larger than the server takes',
    'Have its administrator raise the limit of a request.',
  ],
  416: ['range', 'has no such range'],
  423: ['throttled', 'is locked on the server, by a request that it still works on'],
  425: ['throttled', 'the server asks to come back later'],
  429: ['throttled', 'the server asks to slow down'],
  502: ['unreachable', 'the server behind the proxy does not answer (502)'],
  503: ['throttled', 'the server is busy, or in maintenance'],
  504: ['timeout', 'the proxy has waited in vain for the server, which may still be at work (504)'],
  507: [
    'full',
    'not stored: the server has no space left (507)',
    'Free some, or lower `keep`, then run `pipe-backup heal`.',
  ],
  509: ['throttled', 'the limit of transfers is used up'],
}

const GONE: Meaning = ['unreachable', 'the connection broke']
const AWAY: Meaning = ['unreachable', 'can’t be reached']
const UNKNOWN_HOST: Meaning = ['unreachable', 'the server’s name is not known', 'Check the address.']
const TLS: Meaning = [
  'unauthorized',
  'the server’s certificate is not trusted',
  'For an authority of your own, name its certificate’s file with `ca`.',
]

const NETWORK: Readonly<Record<string, Meaning>> = {
  ECONNRESET: GONE,
  EPIPE: GONE,
  ECONNABORTED: GONE,
  ERR_STREAM_PREMATURE_CLOSE: GONE,
  HPE_INVALID_EOF_STATE: GONE,
  ECONNREFUSED: AWAY,
  EHOSTUNREACH: AWAY,
  ENETUNREACH: AWAY,
  ENETDOWN: AWAY,
  EADDRNOTAVAIL: AWAY,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  ERR_PROXY_TUNNEL: [
    'unreachable',
    'the proxy makes no connection to the server',
    'Check HTTPS_PROXY and NO_PROXY in the environment.',
  ],
  ETIMEDOUT: ['timeout', 'the server does not answer'],
  EPROTO: ['protocol', 'no secure connection can be made', 'Is it https:, and the right port?'],
  DEPTH_ZERO_SELF_SIGNED_CERT: TLS,
  SELF_SIGNED_CERT_IN_CHAIN: TLS,
  UNABLE_TO_GET_ISSUER_CERT: TLS,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TLS,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TLS,
  CERT_HAS_EXPIRED: ['unauthorized', 'the server’s certificate has expired'],
  CERT_NOT_YET_VALID: ['unauthorized', 'the server’s certificate is not valid yet', 'Is the clock right?'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'unauthorized',
    'the server’s certificate is for another name',
    'Check the address.',
  ],
}

const MESSAGE_BYTES = 16 * 1024
const SAID_CHARACTERS = 200

/** What an error of Node.js means for a sink. What is no failure of the server's is given back as it is. */
export function toSinkError(cause: unknown, { sink, key }: ErrorPlace): unknown {
  if (!(cause instanceof Error) || cause.name === 'SinkError' || cause.name === 'AbortError') return cause
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  const meaning =
    code === undefined ? undefined : (NETWORK[code] ?? (code.startsWith('HPE_') ? notHttp(code) : undefined))
  if (!meaning) return cause
  const [means, what, hint] = meaning
  const where = key === undefined ? {} : { key }
  return new SinkError(means, `${what}${code === undefined ? '' : ` (${code})`}`, {
    sink,
    ...where,
    ...(hint !== undefined && { hint }),
    cause,
  })
}

function notHttp(code: string): Meaning {
  return ['protocol', `what answers does not speak HTTP (${code})`, 'Check host and port.']
}

/** What an answer means that is none of those hoped for. It is read to its end. */
export async function statusError(answer: HttpAnswer, { sink, key }: ErrorPlace): Promise<SinkError> {
  const { status, headers, method } = answer
  const said = messageOf(await readText(answer.body, MESSAGE_BYTES), headers['content-type'])
  const [code, what, hint] = meaningOf(answer)
  const retryAfterMs = waitOf(headers['retry-after'])
  const detail = `${method} ${status}${said === '' ? '' : `: ${said}`}`
  return new SinkError(code, what, {
    sink,
    ...(key !== undefined && { key }),
    ...(hint !== undefined && { hint }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    // What a server says in its own words goes here: the line that people see is ours.
    cause: new Error(detail),
  })
}

function meaningOf({ status, headers, url, learnt }: HttpAnswer): Meaning {
  if (learnt === 'would-show') {
    const hint = 'Use https:, or set `plainHttp: true` where nobody else can listen.'
    return ['unauthorized', 'the password would travel in the clear', hint]
  }
  const meant = STATUS[status]
  if (meant) return meant
  if (status >= 300 && status < 400) {
    const to = locationOf(headers.location, url)
    const hint =
      to === undefined ? 'Check the address.' : `If that is right, write ${to} in the configuration.`
    return ['protocol', `the server sends elsewhere (${status}); nothing is sent there`, hint]
  }
  if (status >= 500) return ['unreachable', `the server has failed (${status})`]
  return [
    'protocol',
    `the server’s answer is not what it should be (${status})`,
    'Is the address that of a WebDAV collection?',
  ]
}

/** Without what a URL may hold of secrets. */
function locationOf(location: string | undefined, base: URL): string | undefined {
  if (location === undefined || !URL.canParse(location, base.href)) return undefined
  const { origin, pathname } = new URL(location, base)
  return origin + pathname
}

/** Retry-After: seconds, or a date. */
function waitOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** sabre/dav, and so Nextcloud, says what is wrong in XML. */
function messageOf(text: string, type = ''): string {
  if (!/xml/.test(type)) return ''
  const message = /<(?:\w+:)?message[^>]*>([^<]*)</.exec(text)?.[1] ?? ''
  return message.replace(/\s+/g, ' ').trim().slice(0, SAID_CHARACTERS)
}
