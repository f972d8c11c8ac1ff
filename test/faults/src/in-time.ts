import { setTimeout as sleep } from 'node:timers/promises'

/** Far more than anything here takes: what has not ended by then hangs. */
const DEADLINE_MS = 120_000

/** Waits for something that must end, whatever fails. @returns what it gave, or threw, or that it hangs */
export async function inTime<T>(work: Promise<T>): Promise<T | Error> {
  const over = new AbortController()
  const late = sleep(DEADLINE_MS, new Error(`hangs: it has not ended within ${DEADLINE_MS / 1000} s`), {
    signal: over.signal,
  }).catch(() => new Error('over'))
  try {
    return await Promise.race([work, late])
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  } finally {
    over.abort()
  }
}
