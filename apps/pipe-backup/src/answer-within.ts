import { setTimeout as sleep } from 'node:timers/promises'

/** What a file system says that may never answer: one on a server that is gone. @throws Error with code ETIMEDOUT */
export async function answerWithin<T>(ms: number, answer: Promise<T>): Promise<T> {
  const given = new AbortController()
  try {
    return await Promise.race([
      answer,
      sleep(ms, undefined, { signal: given.signal }).then(() => {
        throw Object.assign(new Error(`no answer for ${ms / 1000} s`), { code: 'ETIMEDOUT' })
      }),
    ])
  } finally {
    given.abort()
  }
}
