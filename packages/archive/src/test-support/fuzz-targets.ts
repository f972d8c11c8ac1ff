import { idOfSum, parseArchiveKey } from '../archive-key.ts'
import { decodeSum, encodeSum } from '../archive-sum.ts'
import { keysOf, signerOf } from './vault-keys.ts'

const KEYS = await keysOf(5)
const SIGNER = signerOf(KEYS)
const ID = '20261123t100000.000z-home.tar.pb'
const SUM = { id: ID, sizeBytes: 1234, sha256: 'ab'.repeat(32) }

/** Signed for what it says, as a host that was taken over would write it. */
function signed(text: string): Buffer {
  const [, sha256 = '', id, size] = /^(\S*) {2}(\S+)\n# pipe-backup archive 1 (\S*) /.exec(text) ?? []
  return id === undefined ? Buffer.from(text) : encodeSum(SIGNER, { id, sizeBytes: Number(size), sha256 })
}

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'archive-sum',
    seeds: [encodeSum(SIGNER, SUM)],
    decode: (bytes) => decodeSum(KEYS, ID, bytes),
  },
  {
    name: 'archive-sum-signed',
    seeds: [encodeSum(SIGNER, SUM)],
    decode: (bytes) => {
      const object = signed(Buffer.from(bytes).toString())
      const again = encodeSum(SIGNER, decodeSum(KEYS, ID, object))
      if (!again.equals(object)) throw new Error('it is encoded to other bytes than were decoded')
    },
  },
  {
    name: 'archive-key',
    seeds: [Buffer.from(`archives/${ID}`), Buffer.from(`archives/${ID}.sha256`)],
    decode: (bytes) => {
      const key = Buffer.from(bytes).toString('latin1')
      idOfSum(key)
      return parseArchiveKey(key)?.time.toISOString()
    },
  },
]
