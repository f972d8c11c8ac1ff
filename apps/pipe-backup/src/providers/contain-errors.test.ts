import type { Source } from '@pipe-backup/source'
import { expect, test } from 'vitest'
import { containErrors } from './contain-errors.ts'

const throwing = (error: unknown): Source => ({
  name: 'x',
  entries: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error as Error) }) }),
})

async function failureOf(source: Source, signal?: AbortSignal): Promise<unknown> {
  try {
    for await (const _ of source.entries({ signal }));
  } catch (error) {
    return error
  }
  return undefined
}

test('what nobody foresaw in a source is its own failure', async () => {
  expect(await failureOf(containErrors(throwing(new TypeError('x is not a function'))))).toMatchObject({
    name: 'SourceError',
    code: 'command-failed',
    message: 'unexpected: x is not a function; please report it',
  })
})

test('a stop, and what is no mistake of a source, go on as they are', async () => {
  const stopped = new Error('stopped')
  expect(await failureOf(containErrors(throwing(new TypeError('x'))), AbortSignal.abort(stopped))).toBe(
    stopped,
  )
  expect(await failureOf(containErrors(throwing(stopped)))).toBe(stopped)
})
