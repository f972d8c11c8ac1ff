import type { Refusal } from './api.ts'

/** Why the program did not do what was asked. */
export class AskError extends Error {
  override readonly name = 'AskError'
  readonly code: string
  readonly hint: string | undefined

  constructor({ code, message, hint }: Refusal['error']) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

/** Asks the program. @throws AskError, also with code `gone` when it no longer answers */
export async function ask<Answer>(path: string, options: RequestInit = {}): Promise<Answer> {
  let answer: Response
  let body: unknown
  try {
    answer = await fetch(`/api/${path}`, options)
    body = await answer.json()
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new AskError({
      code: 'gone',
      message: 'The program does not answer any more.',
      hint: 'Start "pipe-backup ui" again, and open the address that it prints.',
    })
  }
  // Page and program are built together: `api.ts` has the types of both.
  if (answer.ok) return body as Answer
  throw new AskError((body as Refusal).error)
}

/** Asks the program to do something. @throws AskError */
export async function send<Answer>(path: string, body: object = {}): Promise<Answer> {
  return await ask<Answer>(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** A path with its query: what is `undefined` is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))
  return `${path}?${new URLSearchParams(given)}`
}
