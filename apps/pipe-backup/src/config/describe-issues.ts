import type { z } from 'zod'
import type { ConfigDocument, ConfigPath } from './config-document.ts'
import type { ConfigErrorCode, ConfigProblem } from './config-error.ts'

/** Turns what the schema found into problems with their places, in the order of the file. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  document: ConfigDocument,
  file: string,
): readonly ConfigProblem[] {
  const problem = (
    code: ConfigErrorCode,
    path: ConfigPath,
    at: 'key' | 'value',
    message: string,
  ): ConfigProblem => ({
    code,
    message,
    file,
    ...document.locate(path, at),
    path: document.describe(path),
  })
  return issues
    .flatMap((issue): readonly ConfigProblem[] => {
      if (issue.code === 'unrecognized_keys') {
        const messages = issue.message.split('\n')
        return issue.keys.map((key, index) =>
          problem('unknown-key', [...issue.path, key], 'key', messages[index] ?? 'unknown key'),
        )
      }
      // A choice of types that has something to say says it.
      const isSilent = issue.code !== 'invalid_union' || issue.message === 'Invalid input'
      const missing = isSilent && issue.input === undefined
      if (missing && issue.path.length > 0) return [problem('missing', issue.path, 'value', 'is missing')]
      return [problem('bad-value', issue.path, 'value', describe(issue))]
    })
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object with keys',
  record: 'an object with keys',
}

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = EXPECTED[issue.expected] ?? issue.expected
      if (issue.input === null) return `is empty, must be ${wanted}; a lone ~ is empty too in YAML: write "~"`
      const repair =
        typeof issue.input === 'number' && issue.expected === 'string' ? ': put it in quotes' : ''
      return `must be ${wanted}, not ${nameOf(issue.input)}${repair}`
    }
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be at least ${issue.minimum}`
        : issue.message
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be at most ${issue.maximum}`
        : issue.message
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`
    case 'invalid_format':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return issue.message
  }
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'string' ? 'text' : `a ${typeof value}`
}
