import { expect, test } from 'vitest'
import { ConfigError } from '../config/config-error.ts'
import { hide } from '../secrets/redact.ts'
import { UsageError } from '../usage-error.ts'
import type { Output } from './output.ts'
import { describeFailure, reportError } from './report-error.ts'

function record(): { output: Output; errors: string[]; documents: unknown[] } {
  const errors: string[] = []
  const documents: unknown[] = []
  const ignore = (): void => undefined
  const output: Output = {
    json: true,
    verbose: false,
    logsJson: false,
    around: undefined,
    subject: undefined,
    print: ignore,
    report: ignore,
    log: ignore,
    warn: ignore,
    note: ignore,
    printJson: (value) => void documents.push(value),
    error: (line) => void errors.push(line),
    stream: () => Promise.resolve(),
  }
  return { output, errors, documents }
}

class SinkError extends Error {
  override readonly name = 'SinkError'
  readonly code = 'full'
  readonly hint = 'Free some.'
}

test('an error of a package is a line and a hint, recognised by name and code', () => {
  const { output, errors, documents } = record()
  expect(reportError(new SinkError('sink "a": no space left'), output)).toBe(1)
  expect(errors).toEqual(['sink "a": no space left', 'Free some.'])
  expect(documents).toEqual([
    { error: { code: 'full', message: 'sink "a": no space left', hint: 'Free some.' } },
  ])
})

test('usage and configuration are exit code 2', () => {
  expect(describeFailure(new UsageError('so not'))).toMatchObject({ exitCode: 2, code: 'usage' })
  const problem = { code: 'missing', message: 'is missing', path: 'sinks' } as const
  expect(describeFailure(new ConfigError(problem, { more: [problem] }))).toMatchObject({
    exitCode: 2,
    code: 'missing',
    lines: ['sinks: is missing', 'sinks: is missing'],
  })
})

test("the operating system's errors are a line, not a bug", () => {
  const error = Object.assign(new Error("EACCES: permission denied, open '/x'"), {
    code: 'EACCES',
    syscall: 'open',
  })
  expect(describeFailure(error)).toEqual({
    exitCode: 1,
    code: 'eacces',
    lines: [error.message],
    hint: undefined,
  })
})

test('anything else is a bug, reported with its stack', () => {
  const { output, errors } = record()
  expect(reportError(new TypeError('x is undefined'), output)).toBe(1)
  expect(errors.at(-1)).toMatch(/please report it[^]*report-error\.test\.ts/)
})

test('a message can neither break the line nor speak to the terminal', () => {
  expect(describeFailure(new UsageError('a\nb\u001B[2J')).lines).toEqual(['a\\nb\\x1b[2J'])
})

test('a secret that somebody else put into an error is not in the JSON', () => {
  hide('correct-horse')
  const { output, documents } = record()
  reportError(new UsageError('can not log in with correct-horse'), output)
  expect(JSON.stringify(documents)).not.toContain('correct-horse')
})
