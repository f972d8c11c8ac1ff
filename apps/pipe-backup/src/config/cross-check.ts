import type { ConfigPath } from './config-document.ts'
import type { ConfigErrorCode } from './config-error.ts'
import type { Config } from './schema.ts'

export interface CrossProblem {
  readonly code: ConfigErrorCode
  readonly path: ConfigPath
  readonly message: string
}

/** What no single value shows: names given twice, more copies than sinks, paths that can't be meant. */
export function* crossCheck(config: Config): Generator<CrossProblem> {
  yield* repeatedNames('sources', config.sources)
  yield* repeatedNames('sinks', config.sinks)
  if (config.copies !== undefined && config.copies > config.sinks.length) {
    const sinks =
      config.sinks.length === 1 ? 'there is only 1 sink' : `there are only ${config.sinks.length} sinks`
    yield { code: 'bad-value', path: ['copies'], message: `must be at most the number of sinks: ${sinks}` }
  }
}

function* repeatedNames(list: string, items: readonly { readonly name: string }[]): Generator<CrossProblem> {
  const seen = new Map<string, number>()
  for (const [index, { name }] of items.entries()) {
    const first = seen.get(name)
    if (first === undefined) seen.set(name, index)
    else
      yield {
        code: 'bad-value',
        path: [list, index, 'name'],
        message: `"${name}" is the name of ${list}[${first}] already`,
      }
  }
}
