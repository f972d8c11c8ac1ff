export { AEAD_OVERHEAD_BYTES, openAead, sealAead } from './aead.ts'
export {
  type Author,
  certify,
  isTrusted,
  openSigned,
  type Role,
  readCertificate,
  SIGNED_BYTES,
  type Signer,
  signContent,
} from './certificate.ts'
export { chunkId } from './chunk-id.ts'
export { CryptoError, type CryptoErrorCode } from './crypto-error.ts'
export { type DecryptOptions, decrypt, decryptFrom } from './decrypt.ts'
export { type EncryptOptions, encrypt, type Recipient } from './encrypt.ts'
export type { OpenAt } from './encrypted-input.ts'
export {
  deriveKeys,
  deriveSubkey,
  type HostKeys,
  type KeyPair,
  type ObjectKeys,
  openSealed,
  type RevokedHosts,
  sealTo,
  type VaultKeys,
  vaultIdOf,
} from './keys.ts'
export { generatePhrase, masterFromPhrase, phraseFromMaster } from './phrase.ts'
export { findSlip } from './phrase-slip.ts'
export { isSignatureOf, SIGNATURE_BYTES, signDetached, signingKeyOf } from './signing.ts'
