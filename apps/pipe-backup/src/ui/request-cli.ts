import type { CliContext } from '../cli-context.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { redact } from '../secrets/redact.ts'
import type { Output } from '../terminal/output.ts'

/** So many are given to the page at most. */
const MAX_WARNINGS = 100

/** The program as it was started, from which each request gets a context of its own. */
export interface UiContext {
  readonly cli: CliContext
  readonly config: LoadedConfig
  /** The environment with the secrets in it that the configuration names: whoever opens the sinks takes them out of a copy. */
  readonly env: NodeJS.ProcessEnv
}

/** What a request does its work with, as a command would. */
export interface RequestCli {
  readonly cli: CliContext
  /** What a command would have warned of. */
  readonly warnings: () => readonly string[]
}

/** @param signal - aborted when the answer is no longer wanted */
export function requestCli({ cli, config, env }: UiContext, signal: AbortSignal): RequestCli {
  const warnings = new Set<string>()
  const warn = (line: string): void => {
    if (warnings.size < MAX_WARNINGS) warnings.add(redact(line))
  }
  const nothing = (): void => undefined
  const output: Output = {
    json: false,
    verbose: false,
    logsJson: false,
    around: undefined,
    subject: undefined,
    print: nothing,
    printJson: nothing,
    report: nothing,
    log: nothing,
    note: nothing,
    error: warn,
    warn,
    stream: () => Promise.reject(new Error('a request has no standard output')),
  }
  return {
    cli: {
      ...cli,
      machine: { ...cli.machine, env: { ...env } },
      options: { ...cli.options, config: config.file, json: false },
      output,
      signal: AbortSignal.any([cli.signal, signal]),
      phraseVariable: undefined,
    },
    warnings: () => [...warnings],
  }
}
