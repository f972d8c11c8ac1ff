import { createHash, randomBytes } from 'node:crypto'

/** Who asks. */
export interface Credentials {
  readonly user?: string | undefined
  readonly password?: string | undefined
  /** A bearer token, instead of user and password. */
  readonly token?: string | undefined
}

export interface AuthorizationOptions {
  /** Show the password with the first request, without being asked for it. For servers that are known to want it so. */
  readonly atOnce?: boolean | undefined
  /** False where the password would travel in the clear: then Basic is never answered. */
  readonly mayShowPassword: boolean
  /** A client's nonce of Digest, given by tests. */
  readonly cnonce?: string | undefined
}

interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

/** What became of a challenge: ask `again` with what was learnt; the credentials are `refused`; or it `would-show` the password. */
export type Learnt = 'again' | 'refused' | 'would-show'

/** A map: the server may name anything, `constructor` too. */
const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['md5', 'md5'],
  ['sha-256', 'sha256'],
])
const SEPARATORS = /[\s,]*/y
const NAME = /[\w-]+/y
const VALUE = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y
const NAME_ENDS = /[\s,]|$/y

/**
 * The `Authorization` header of each request: what the server has asked for, Digest before Basic.
 * @see RFC 7616 (Digest), RFC 7617 (Basic), RFC 6750 (Bearer)
 */
export class Authorization {
  readonly #credentials: Credentials
  readonly #options: AuthorizationOptions
  readonly #cnonce: string
  #showing: boolean
  #digest: Digest | undefined

  constructor(credentials: Credentials, options: AuthorizationOptions) {
    this.#credentials = credentials
    this.#options = options
    this.#cnonce = options.cnonce ?? randomBytes(16).toString('hex')
    this.#showing = options.atOnce === true && options.mayShowPassword
  }

  /** Whether a challenge may come at any time: a digest's nonce has its end. */
  get expires(): boolean {
    return this.#digest !== undefined
  }

  headerFor(method: string, path: string): string | undefined {
    const { user = '', password = '', token } = this.#credentials
    if (token !== undefined) return this.#options.mayShowPassword ? `Bearer ${token}` : undefined
    if (this.#digest) return this.#digest.header(user, password, method, path, this.#cnonce)
    if (!this.#showing) return undefined
    return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  }

  /** @param sent - the header that was answered with 401; a nonce that was sent counts as refused only when it is not stale */
  learn(wwwAuthenticate: string | undefined, sent: string | undefined): Learnt {
    const { user, token } = this.#credentials
    if (token !== undefined) return sent === undefined ? 'would-show' : 'refused'
    if (user === undefined) return 'refused'
    const challenges = parseChallenges(wwwAuthenticate ?? '')
    const digest = challenges
      .map(Digest.of)
      .reduce((best, one) => (one?.isBetterThan(best) ? one : best), undefined)
    if (digest) {
      const known = sent?.startsWith('Digest ') === true
      this.#digest = digest
      return !known || digest.isStale ? 'again' : 'refused'
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return 'refused'
    if (sent !== undefined) return 'refused'
    if (!this.#options.mayShowPassword) return 'would-show'
    this.#showing = true
    return 'again'
  }
}

class Digest {
  readonly isStale: boolean
  readonly #parameters: ReadonlyMap<string, string>
  readonly #algorithm: string
  #count = 0

  static of(this: void, { scheme, parameters }: Challenge): Digest | undefined {
    if (scheme !== 'digest' || !parameters.has('nonce')) return undefined
    const algorithm = (parameters.get('algorithm') ?? 'MD5').toLowerCase().replace(/-sess$/, '')
    const qop = parameters.get('qop')
    if (!ALGORITHMS.has(algorithm) || (qop !== undefined && !offersAuth(qop))) return undefined
    return new Digest(parameters, algorithm)
  }

  private constructor(parameters: ReadonlyMap<string, string>, algorithm: string) {
    this.#parameters = parameters
    this.#algorithm = algorithm
    this.isStale = parameters.get('stale')?.toLowerCase() === 'true'
  }

  isBetterThan(other: Digest | undefined): boolean {
    return other === undefined || (other.#algorithm === 'md5' && this.#algorithm !== 'md5')
  }

  header(user: string, password: string, method: string, path: string, cnonce: string): string {
    const hash = (text: string) =>
      createHash(ALGORITHMS.get(this.#algorithm) ?? 'md5')
        .update(text)
        .digest('hex')
    const { realm = '', nonce = '', algorithm, qop, opaque } = Object.fromEntries(this.#parameters)
    // Each request has a count of its own, however many are under way.
    const nc = (++this.#count).toString(16).padStart(8, '0')
    const secret = hash(`${user}:${realm}:${password}`)
    const isSession = algorithm?.toLowerCase().endsWith('-sess') === true
    const a1 = isSession ? hash(`${secret}:${nonce}:${cnonce}`) : secret
    const a2 = hash(`${method}:${path}`)
    const response = hash(
      qop === undefined ? `${a1}:${nonce}:${a2}` : `${a1}:${nonce}:${nc}:${cnonce}:auth:${a2}`,
    )
    const parts = [
      `username=${quoted(user)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `uri=${quoted(path)}`,
      `response="${response}"`,
      ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
      ...(qop === undefined && !isSession ? [] : [`qop=auth, nc=${nc}, cnonce="${cnonce}"`]),
    ]
    return `Digest ${parts.join(', ')}`
  }
}

function offersAuth(qop: string): boolean {
  return qop.split(',').some((one) => one.trim().toLowerCase() === 'auth')
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Of one header, or of several that Node.js has joined. No step looks again at what another has passed: the server may say anything. */
function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  const take = (pattern: RegExp, from: number): RegExpExecArray | null => {
    pattern.lastIndex = from
    return pattern.exec(header)
  }
  for (let at = take(SEPARATORS, 0)?.[0].length ?? 0; at < header.length; ) {
    const [name = ''] = take(NAME, at) ?? []
    at += name.length
    const value = name === '' ? null : take(VALUE, at)
    if (value) {
      const [all, inQuotes, bare = ''] = value
      challenges.at(-1)?.parameters.set(name.toLowerCase(), inQuotes?.replace(/\\(.)/g, '$1') ?? bare)
      at += all.length
    } else if (name !== '' && take(NAME_ENDS, at))
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
    else at++
    at += take(SEPARATORS, at)?.[0].length ?? 0
  }
  return challenges
}
