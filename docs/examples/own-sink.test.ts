/** The proof of own-sink.ts, the shared suite:  npx vitest run own-sink.test.ts */
import { describeSink } from '@pipe-backup/sink/conformance'
import { sqliteSink } from './own-sink.ts'

describeSink('sqlite', { open: () => sqliteSink('sqlite', ':memory:') })
