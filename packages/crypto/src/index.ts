export { AEAD_OVERHEAD_BYTES, openAead, sealAead } from './aead.ts'
export { chunkId } from './chunk-id.ts'
export { CryptoError, type CryptoErrorCode } from './crypto-error.ts'
export { decrypt } from './decrypt.ts'
export { encrypt, type Recipient } from './encrypt.ts'
export {
  deriveKeys,
  deriveSubkey,
  type HostKeys,
  type KeyPair,
  openSealed,
  sealTo,
  type VaultKeys,
  vaultIdOf,
} from './keys.ts'
export { generatePhrase, masterFromPhrase, phraseFromMaster } from './phrase.ts'
export { Secret } from './secret.ts'
