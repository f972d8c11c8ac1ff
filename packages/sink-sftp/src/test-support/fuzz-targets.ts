import { listedThrough } from '@pipe-backup/sink/testing'
import { findKnownKeys, fingerprintOf } from '../known-hosts.ts'
import { infoOf } from '../remote.ts'
import { toSinkError } from '../sftp-errors.ts'

const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
const KNOWN_HOSTS = `# comment
host.example,*.example,!b?d.example ssh-ed25519 ${KEY}
@revoked |1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 ${KEY}`

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly isOfErrors?: boolean
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'sftp-attributes',
    // Flags, as in the protocol, then a size of eight bytes and a time of four.
    seeds: [Buffer.from('09000000000000000c6554c3f0', 'hex')],
    decode: (bytes) =>
      listedThrough(function* () {
        const attributes = Buffer.concat([bytes, Buffer.alloc(13)])
        const [flags = 0] = attributes
        // As ssh2 gives them: what the server leaves out is undefined, whatever its types say.
        const size = (flags & 1) === 0 ? undefined : Number(attributes.readBigUInt64BE(1))
        const mtime = (flags & 8) === 0 ? undefined : attributes.readUInt32BE(9)
        yield infoOf('k', { size, mtime } as { size: number; mtime: number })
      }),
  },
  {
    name: 'sftp-status',
    isOfErrors: true,
    seeds: [Buffer.from('\u0004Failure'), Buffer.from('\u0000Packet length 1347703880 exceeds max')],
    decode: (bytes) => {
      const [code = 0] = bytes
      const error = new Error(Buffer.from(bytes.subarray(1)).toString())
      throw toSinkError(Object.assign(error, code === 0 ? { level: 'sftp-protocol' } : { code }), 's', 'k')
    },
  },
  {
    name: 'known-hosts',
    seeds: [Buffer.from(KNOWN_HOSTS)],
    decode: (bytes) => {
      const { trusted, revoked } = findKnownKeys(Buffer.from(bytes).toString(), 'host.example', 22)
      return [...trusted, ...revoked].map(fingerprintOf)
    },
  },
]
