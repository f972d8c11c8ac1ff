import { parse } from 'yaml'
import type { z } from 'zod'

/** An answer as an option's schema takes it, or why it does not. */
export type ParsedAnswer = { readonly value: unknown } | { readonly mistake: string }

/**
 * What a typed answer means to an option: itself, a number, or a list, whichever its schema takes first. A list has commas between its items, or is written
 * as in YAML, `[notify-send, "done, at last"]`.
 */
export function parseAnswer(
  schema: z.core.$ZodType & Pick<z.ZodType, 'safeParse'>,
  answer: string,
): ParsedAnswer {
  const mistakes: string[] = []
  for (const candidate of candidates(answer)) {
    const { success, error } = schema.safeParse(candidate, { reportInput: true })
    // As it was typed: a schema's own changes, such as defaults, are the loader's.
    if (success) return { value: candidate }
    // That text is no number says nothing to somebody who can type nothing but text.
    mistakes.push(...error.issues.filter(({ code }) => code !== 'invalid_type').map(({ message }) => message))
  }
  return { mistake: mistakes[0] ?? 'is not of the right kind' }
}

function* candidates(answer: string): Generator<unknown> {
  yield answer
  if (/^\d+(\.\d+)?$/.test(answer)) yield Number(answer)
  const isFlow = answer.startsWith('[') && answer.endsWith(']')
  yield isFlow ? flowOf(answer) : answer.split(',').map((item) => item.trim())
}

function flowOf(answer: string): unknown {
  try {
    return parse(answer) as unknown
  } catch {
    return answer
  }
}
