import { createHash } from 'node:crypto'
import { CryptoError } from './crypto-error.ts'
import type { ObjectKeys, VaultKeys } from './keys.ts'
import { isSignatureOf, SIGNATURE_BYTES, signDetached, signingKeyOf } from './signing.ts'

/** What a host may do: `write` makes snapshots; `maintain` prunes, compacts and replaces what others have written, too. */
export type Role = 'write' | 'maintain'

/** Who has signed something. */
export interface Author {
  /** 32 hex digits. */
  readonly hostId: string
  readonly role: Role
}

/** What a host signs with. */
export interface Signer {
  /** Ed25519, 32 bytes, secret. */
  readonly seed: Uint8Array
  /** Certifies its public half: made with the phrase. */
  readonly certificate: Uint8Array
}

const HOST_ID_BYTES = 16
const CERTIFIED_BYTES = HOST_ID_BYTES + 1 + 32
/** Certificate and signature: what a signed object is longer by. */
export const SIGNED_BYTES: number = CERTIFIED_BYTES + SIGNATURE_BYTES + SIGNATURE_BYTES
const CERTIFICATE_BYTES = CERTIFIED_BYTES + SIGNATURE_BYTES
const ROLES: readonly Role[] = ['write', 'maintain']
const HOST_LABEL = Buffer.from('pipe-backup host 1\n')

/** Certificates that were found to be genuine: each object brings its own along, and there are few. */
const genuine = new Set<string>()
const MAX_GENUINE = 1024

/** Signatures that were found to be genuine, by key, message and signature: each sink shows the same objects, and a command reads them more than once. */
const proven = new Set<string>()
const MAX_PROVEN = 4096

/** Certifies a host (docs/format.md section 3). @param hostId - 32 hex digits */
export function certify(
  { rootSeed }: Pick<VaultKeys, 'rootSeed'>,
  hostId: string,
  role: Role,
  seed: Uint8Array,
): Uint8Array {
  const certified = Buffer.concat([
    Buffer.from(hostId, 'hex'),
    Buffer.of(ROLES.indexOf(role) + 1),
    signingKeyOf(seed),
  ])
  return Buffer.concat([certified, signDetached(rootSeed, Buffer.concat([HOST_LABEL, certified]))])
}

/** Whom a certificate is of. @throws CryptoError `forged` when the phrase did not make it */
export function readCertificate(
  rootKey: Uint8Array,
  certificate: Uint8Array,
): Author & { readonly publicKey: Uint8Array } {
  const role = ROLES[(certificate[HOST_ID_BYTES] ?? 0) - 1]
  const name = Buffer.concat([rootKey, certificate]).toString('latin1')
  if (certificate.length !== CERTIFICATE_BYTES || !role) throw forged()
  const certified = certificate.subarray(0, CERTIFIED_BYTES)
  if (!genuine.has(name)) {
    const signed = Buffer.concat([HOST_LABEL, certified])
    if (!isSignatureOf(rootKey, signed, certificate.subarray(CERTIFIED_BYTES))) throw forged()
    if (genuine.size >= MAX_GENUINE) genuine.clear()
    genuine.add(name)
  }
  return {
    hostId: Buffer.from(certified.subarray(0, HOST_ID_BYTES)).toString('hex'),
    role,
    publicKey: certified.subarray(HOST_ID_BYTES + 1),
  }
}

/**
 * Signs some content.
 * @param label - what it is, so that it is taken for nothing else
 * @returns SIGNED_BYTES to be put in front of the content
 */
export function signContent({ seed, certificate }: Signer, label: string, content: Uint8Array): Buffer {
  return Buffer.concat([certificate, signDetached(seed, messageOf(label, content))])
}

/**
 * Who has signed what begins with `signContent`'s bytes.
 * @returns the content, and its author
 * @throws CryptoError `forged` when no host that the phrase certified has written it
 */
export function openSigned(
  { rootKey }: Pick<ObjectKeys, 'rootKey'>,
  label: string,
  signed: Uint8Array,
): { readonly content: Uint8Array; readonly author: Author } {
  if (signed.length < SIGNED_BYTES) throw forged()
  const { publicKey, ...author } = readCertificate(rootKey, signed.subarray(0, CERTIFICATE_BYTES))
  const content = signed.subarray(SIGNED_BYTES)
  const signature = signed.subarray(CERTIFICATE_BYTES, SIGNED_BYTES)
  requireSignature(publicKey, messageOf(label, content), signature)
  return { content, author }
}

/** @throws CryptoError `forged` */
function requireSignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): void {
  const name = Buffer.concat([publicKey, signature, message]).toString('latin1')
  if (proven.has(name)) return
  if (!isSignatureOf(publicKey, message, signature)) throw forged()
  if (proven.size >= MAX_PROVEN) proven.clear()
  proven.add(name)
}

/**
 * Whether what a host has written counts: nobody has revoked the host, or it had written this before.
 * @param digest - gives the SHA-256 of what it has written, hex
 */
export function isTrusted(
  { revoked }: Pick<ObjectKeys, 'revoked'>,
  { hostId }: Author,
  digest: () => string,
): boolean {
  const believed = revoked.get(hostId)
  return believed === undefined || believed.has(digest())
}

/** The label, and the SHA-256 of the content. */
function messageOf(label: string, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${label}\n`), createHash('sha256').update(content).digest()])
}

function forged(): CryptoError {
  return new CryptoError('forged', 'it is forged: no host that the phrase has certified wrote it')
}
