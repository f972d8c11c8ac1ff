import { createHmac } from 'node:crypto'
import { deriveSubkey } from '@pipe-backup/crypto'
import { idOfSum, parseArchiveKey } from '../archive-key.ts'
import { decodeSum, encodeSum } from '../archive-sum.ts'

const INDEX_KEY = new Uint8Array(32).fill(5)
const ID = '20261123t100000.000z-home.tar.pb'
const SUM = { id: ID, sizeBytes: 1234, sha256: 'ab'.repeat(32), hostId: 'cd'.repeat(16) }
const MAC_KEY = await deriveSubkey(INDEX_KEY, 1, 'pbarchiv')

/** With the right mac for what it says, as a host that was taken over would write it. */
function signed(text: string): string {
  const [, sha256, name, size, host] =
    /^(\S*) {2}(\S+)\n# pipe-backup archive 1 (\S*) (\S*) /.exec(text) ?? []
  if (name === undefined) return text
  const mac = createHmac('sha256', MAC_KEY)
    .update(`pipe-backup archive 1\n${name}\n${size}\n${sha256}\n${host}\n`)
    .digest('hex')
  return `${sha256}  ${name}\n# pipe-backup archive 1 ${size} ${host} ${mac}\n`
}

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'archive-sum',
    seeds: [await encodeSum(INDEX_KEY, SUM)],
    decode: async (bytes) => await decodeSum(INDEX_KEY, ID, bytes),
  },
  {
    name: 'archive-sum-signed',
    seeds: [await encodeSum(INDEX_KEY, SUM)],
    decode: async (bytes) => {
      const object = Buffer.from(signed(Buffer.from(bytes).toString()))
      const again = await encodeSum(INDEX_KEY, await decodeSum(INDEX_KEY, ID, object))
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
