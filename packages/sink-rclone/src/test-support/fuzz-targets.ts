import { listedThrough } from '@pipe-backup/sink/testing'
import { parseListed } from '../listing.ts'
import { RcloneFailure, toSinkError } from '../rclone-errors.ts'

const LINE =
  '{"Path":"packs/ab/abcd","Name":"abcd","Size":12,"ModTime":"2026-11-23T10:00:00.000000000Z","IsDir":false,"Hashes":{"sha1":"ab"}}'
const SAID = '2026/11/23 10:00:00 ERROR : a: Failed to copy: googleapi: Error 429: slow down\n'

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly isOfErrors?: boolean
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'rclone-listing',
    seeds: [Buffer.from(LINE)],
    decode: (bytes) =>
      listedThrough(function* () {
        const { Path, Size, ModTime, Hashes } = parseListed(Buffer.from(bytes).toString(), 's')
        yield { key: Path, sizeBytes: Size, storedAt: new Date(ModTime), sha256: Hashes?.sha256 }
      }),
  },
  {
    name: 'rclone-said',
    isOfErrors: true,
    seeds: [Buffer.from(SAID)],
    decode: (bytes) => {
      throw toSinkError(new RcloneFailure(1, Buffer.from(bytes).toString(), undefined), 's', 'k')
    },
  },
]
