import { describeSink } from './conformance.ts'
import { memorySink } from './memory-sink.ts'
import { withLimit } from './with-limit.ts'
import { withRetry } from './with-retry.ts'
import { withTimeout } from './with-timeout.ts'

describeSink('in memory', { open: () => memorySink() })

describeSink('in memory, behind all wrappers', {
  open: () => withRetry(withLimit(withTimeout(memorySink(), { silentMs: 20_000 }), { concurrency: 3 })),
})
