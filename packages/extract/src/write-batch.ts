import { filesIn } from './file-batch.ts'
import type { Refusal } from './refusals.ts'
import { writeSmallFile } from './small-file.ts'
import { isOfWholeTarget } from './target-errors.ts'

/** What came of a batch of files. */
export interface BatchOutcome {
  /** That were written. */
  readonly files: number
  readonly bytes: number
  readonly failures: readonly FileFailure[]
  /** What was refused to files that were written. */
  readonly refusals: readonly { readonly index: number; readonly refusal: Refusal }[]
}

/** A file that was not written: its number in the batch, and the error, whose own properties no message between threads keeps. */
interface FileFailure {
  readonly index: number
  readonly message: string
  readonly properties: Readonly<Record<string, unknown>>
}

/**
 * Writes the files of a batch. After an error that all others would have too, the rest is left.
 * @param isEnded - not 0 once nothing is wanted any more: asked before each file
 */
export function writeBatch(memory: ArrayBuffer, length: number, isEnded: Int32Array): BatchOutcome {
  const failures: FileFailure[] = []
  const refusals: { index: number; refusal: Refusal }[] = []
  let files = 0
  let bytes = 0
  let index = 0
  for (const file of filesIn(memory, length)) {
    if (Atomics.load(isEnded, 0) !== 0) break
    try {
      for (const refusal of writeSmallFile(file)) refusals.push({ index, refusal })
      files++
      bytes += file.content.length
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      failures.push({ index, message, properties: Object.assign({}, error) })
      if (isOfWholeTarget(error)) break
    }
    index++
  }
  return { files, bytes, failures, refusals }
}

/** The error that a file was not written for. */
export function errorOf({ message, properties }: FileFailure): Error {
  return Object.assign(new Error(message), properties)
}
