import type { ObjectKeys } from '@pipe-backup/crypto'
import { type Sink, toError } from '@pipe-backup/sink'
import { forEachLimited } from '../for-each-limited.ts'
import { markedSnapshotOf, openMark } from '../format/mark-object.ts'
import { hasCode } from '../has-code.ts'
import { damageOf } from './damage.ts'
import { MarkBook } from './mark-book.ts'
import { getObject, listObjects } from './read-sink.ts'

const MARKS_AT_ONCE = 8

export interface ReadMarksOptions {
  readonly sinks: readonly Sink[]
  /** Revoked hosts are known already. */
  readonly keys: ObjectKeys
  /** Only those of this snapshot, by its key. Default all. */
  readonly snapshot?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with each sink that does not give its marks, and each mark that does not open. */
  readonly onProblem?: ((sink: Sink, error: Error) => void) | undefined
}

/** Reads the marks of all the sinks that answer, with one list where there are none. @throws the abort's reason */
export async function readMarks(options: ReadMarksOptions): Promise<MarkBook> {
  const { sinks, snapshot, signal, onProblem } = options
  const book = new MarkBook()
  const opened = new Set<string>()
  await Promise.all(
    sinks.map(async (sink) => {
      try {
        const listed = await Array.fromAsync(listObjects(sink, 'marks/', signal))
        const wanted = listed.filter(({ key }) => {
          const of = markedSnapshotOf(key)
          return of !== undefined && (snapshot === undefined || of === snapshot)
        })
        await forEachLimited(wanted, MARKS_AT_ONCE, ({ key }) =>
          readMark(sink, key, options, { book, opened }),
        )
      } catch (error) {
        signal?.throwIfAborted()
        onProblem?.(sink, toError(error))
      }
    }),
  )
  return book
}

/** @throws what says nothing of the mark */
async function readMark(
  sink: Sink,
  key: string,
  { keys, signal, onProblem }: ReadMarksOptions,
  { book, opened }: { readonly book: MarkBook; readonly opened: Set<string> },
): Promise<void> {
  // All copies are equal: the first that opens is enough.
  if (opened.has(key)) return
  try {
    book.add(key, openMark(keys, key, await getObject(sink, key, signal)))
    opened.add(key)
  } catch (error) {
    signal?.throwIfAborted()
    // A prune may have removed it since it was listed.
    if (hasCode(error, 'not-found')) return
    if (damageOf(error) === undefined) throw error
    // What is forged pins nothing.
    if (!hasCode(error, 'forged') && !hasCode(error, 'revoked')) book.add(key, undefined)
    onProblem?.(sink, toError(error))
  }
}
