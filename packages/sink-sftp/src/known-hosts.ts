import { createHash, createHmac } from 'node:crypto'

/** What is known of a server's keys. */
export interface KnownKeys {
  /** Public keys, as in a known_hosts line. */
  readonly trusted: readonly Buffer[]
  readonly revoked: readonly Buffer[]
}

/** `SHA256:…`, as ssh-keygen -l shows it. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The type a public key names itself, such as ssh-ed25519: RFC 4253 section 6.6. */
export function keyType(key: Buffer): string {
  return key.length < 4 ? '' : key.toString('latin1', 4, 4 + key.readUInt32BE(0))
}

/**
 * Finds a host in the text of known_hosts files: names, patterns, hashed names, `[host]:port`, `@revoked`. Lines of
 * certificate authorities are left out: ssh2 can't check certificates.
 * @see sshd(8), SSH_KNOWN_HOSTS FILE FORMAT
 */
export function findKnownKeys(text: string, host: string, port: number): KnownKeys {
  const trusted: Buffer[] = []
  const revoked: Buffer[] = []
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[0]?.startsWith('#')) continue
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined
    const [names, type, key] = fields
    if (names === undefined || type === undefined || key === undefined || marker === '@cert-authority')
      continue
    if (!matches(names, name)) continue
    const bytes = Buffer.from(key, 'base64')
    if (keyType(bytes) !== type) continue
    ;(marker === '@revoked' ? revoked : trusted).push(bytes)
  }
  return { trusted, revoked }
}

function matches(names: string, name: string): boolean {
  if (names.startsWith('|1|')) {
    const [, , salt = '', digest = ''] = names.split('|')
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === digest
  }
  let matched = false
  for (const pattern of names.toLowerCase().split(',')) {
    const negated = pattern.startsWith('!')
    if (!fits(negated ? pattern.slice(1) : pattern, name)) continue
    if (negated) return false
    matched = true
  }
  return matched
}

/** `*` and `?`, in a time that follows from the lengths: as a regular expression a pattern of many `*` would take for ever. */
function fits(pattern: string, name: string): boolean {
  let at = 0
  let star = -1
  let retry = 0
  let i = 0
  while (i < name.length) {
    if (pattern[at] === '*') {
      star = at++
      retry = i
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[i])) {
      at++
      i++
    } else if (star >= 0) {
      // The last star takes one more.
      at = star + 1
      i = ++retry
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}
