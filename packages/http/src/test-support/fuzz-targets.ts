import { retryAfterOf } from '../failure-meaning.ts'

/** What test/fuzz feeds. */
export const fuzzTargets: readonly {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => unknown
}[] = [
  {
    name: 'retry-after',
    seeds: ['120', '1.5', 'Mon, 23 Nov 2026 16:00:00 GMT'].map((text) => Buffer.from(text)),
    decode: (bytes) => {
      const ms = retryAfterOf(Buffer.from(bytes).toString('latin1'))
      if (ms !== undefined && !(ms >= 0 && Number.isFinite(ms)))
        throw new Error(`${ms} ms are no time to wait`)
    },
  },
]
