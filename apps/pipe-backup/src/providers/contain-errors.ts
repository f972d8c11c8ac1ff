import { type Source, SourceError } from '@pipe-backup/source'

/**
 * A source whose own mistakes fail it alone: what it throws between two entries that nobody foresaw, a TypeError, becomes a SourceError. Safe, as
 * the walk of a source ends the same way for both. What is thrown while a file is read goes on as it is: there it may be the vault's own.
 */
export function containErrors(source: Source): Source {
  return {
    ...source,
    async *entries(context = {}) {
      const entries = source.entries(context)[Symbol.asyncIterator]()
      let isOver = false
      try {
        for (;;) {
          const step = await entries.next().catch((error: unknown) => {
            context.signal?.throwIfAborted()
            throw error instanceof TypeError || error instanceof RangeError ? unexpected(error) : error
          })
          isOver = step.done === true
          if (step.done) return
          yield step.value
        }
      } finally {
        if (!isOver) await entries.return?.()
      }
    },
  }
}

export function unexpected(error: Error): SourceError {
  return new SourceError('command-failed', `unexpected: ${error.message}; please report it`, { cause: error })
}
