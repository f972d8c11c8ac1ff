import { dirname } from 'node:path'
import type { Machine } from '../machine.ts'
import { clearSecrets } from './clear-secrets.ts'
import type { ConfigDocument, ConfigPath } from './config-document.ts'
import { ConfigError, type ConfigErrorCode, type ConfigProblem, describeProblem } from './config-error.ts'
import { crossCheck } from './cross-check.ts'
import { describeIssues } from './describe-issues.ts'
import { findConfig } from './find-config.ts'
import { defaultLocations } from './locations.ts'
import { type ReadConfig, readDocument } from './read-document.ts'
import { resolvePath } from './resolve-path.ts'
import { type Config, configSchema } from './schema.ts'

/** A configuration that has been checked, and what follows from it. */
export interface LoadedConfig extends Config {
  readonly file: string
  readonly copies: number
  /** What this host is called in snapshots. */
  readonly host: string
  /** Path of the host key file. */
  readonly hostKey: string
  /** Path of the state directory. */
  readonly state: string
  /** What a person should be reported, one line each. */
  readonly warnings: readonly string[]
  /** What a path in this configuration means. */
  readonly path: (value: string) => string
}

/**
 * Finds, reads and checks the configuration. Nothing is written, no secret is fetched.
 * @param given - the file named on the command line
 * @throws ConfigError with every mistake that was found
 */
export async function loadConfig(given: string | undefined, machine: Machine): Promise<LoadedConfig> {
  const file = await findConfig(given, machine)
  const read = await readDocument(file)
  const config = crossCheckedConfig(read.document, file)
  const path = (value: string): string => resolvePath(value, dirname(file), machine.home)
  const locations = defaultLocations(config.vault, file, machine)
  const state = machine.env['PIPE_BACKUP_STATE'] || config.state
  try {
    return {
      ...config,
      file,
      copies: config.copies ?? Math.min(3, config.sinks.length),
      host: config.host ?? machine.hostName,
      hostKey: config.hostKey === undefined ? locations.hostKey : path(config.hostKey),
      state: state === undefined ? locations.state : path(state),
      warnings: [...warnOfClearSecrets(config, read, file), ...warnOfComments(config, read.document, file)],
      path,
    }
  } catch (error) {
    throw error instanceof RangeError
      ? new ConfigError({ code: 'bad-value', message: error.message, file })
      : error
  }
}

/** A document, checked: by the schema, and what its parts say of each other. @throws ConfigError with every mistake that was found */
export function crossCheckedConfig(document: ConfigDocument, file: string): Config {
  if (document.value === null) throw new ConfigError({ code: 'missing', message: 'the file is empty', file })
  const parsed = configSchema.safeParse(document.value, { reportInput: true })
  if (!parsed.success) {
    refuse(describeIssues(parsed.error.issues, document, file))
    throw parsed.error
  }
  const config = parsed.data
  const problem = (code: ConfigErrorCode, path: ConfigPath, message: string): ConfigProblem => ({
    code,
    message,
    file,
    ...document.locate(path, 'value'),
    path: document.describe(path),
  })
  refuse([...crossCheck(config)].map(({ code, path, message }) => problem(code, path, message)))
  // `password: ab #cd` is "ab" to YAML, and hardly to whoever has written it.
  const cut = [...clearSecrets(config)].filter(({ path }) => /^\S/.test(document.commentAfter?.(path) ?? ''))
  refuse(
    cut.map(({ path }) =>
      problem(
        'bad-value',
        path,
        'ends before " #", for YAML begins a comment there: put the secret in quotes',
      ),
    ),
  )
  return config
}

function refuse(problems: readonly ConfigProblem[]): void {
  const [first, ...more] = problems
  if (first !== undefined) throw new ConfigError(first, { more })
}

/** @returns a line for each secret behind which a comment stands that might be a part of it */
function warnOfComments(config: Config, document: ConfigDocument, file: string): readonly string[] {
  return [...clearSecrets(config)].flatMap(({ path }) => {
    if (document.commentAfter?.(path) === undefined) return []
    const message =
      'is followed by a comment: if "#" and what follows are a part of the secret, put it in quotes'
    return describeProblem({
      code: 'bad-value',
      file,
      ...document.locate(path, 'value'),
      path: document.describe(path),
      message,
    })
  })
}

function warnOfClearSecrets(config: Config, read: ReadConfig, file: string): readonly string[] {
  if (!read.readableByOthers) return []
  // A .ts file may take its secrets from elsewhere: only what stands in its text is in the clear.
  const inClear = [...clearSecrets(config)].filter(
    ({ value }) => !file.endsWith('.ts') || read.source.includes(value),
  )
  const [first] = inClear
  if (first === undefined) return []
  const place = read.document.locate(first.path, 'value')
  const message = `a secret in the clear, in a file that others can read: chmod 600 ${file}, or use { env }, { file } or { command }`
  return [
    describeProblem({ code: 'bad-value', file, ...place, path: read.document.describe(first.path), message }),
  ]
}
