import { listedThrough } from '@pipe-backup/sink/testing'
import { meansAbsent, parseListed } from '../listing.ts'
import { toSinkError } from '../rsync-errors.ts'
import { PARTIAL, ProgramFailure } from '../run-program.ts'

const LINES = `-rw-------           1234 2026/11/23 10:00:00 packs/ab/abcd
drwx------           4096 2026/11/23 10:00:00 packs`
const SAID = `rsync: [sender] link_stat "/a" (in m) failed: No such file or directory (2)
rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1865) [Receiver=3.2.7]`

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'rsync-listing',
    seeds: [Buffer.from(LINES)],
    decode: (bytes) =>
      listedThrough(function* () {
        for (const line of Buffer.from(bytes).toString().split('\n')) {
          const found = parseListed(line)
          if (found) yield found
        }
      }),
  },
  {
    name: 'rsync-said',
    seeds: [Buffer.from(SAID)],
    decode: (bytes) => {
      const failure = new ProgramFailure('rsync', PARTIAL, Buffer.from(bytes).toString())
      if (!meansAbsent(failure)) throw toSinkError(failure, 's', 'k')
    },
  },
]
