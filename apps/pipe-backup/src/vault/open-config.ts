import type { CliContext } from '../cli-context.ts'
import { type LoadedConfig, loadConfig } from '../config/load-config.ts'
import { readNotifyLog } from '../notify/notify-log.ts'
import { findStale } from '../notify/observations.ts'
import { type OpenSinks, openSinks } from '../providers/open-sinks.ts'
import { createSecretReader, type SecretReader } from '../secrets/read-secret.ts'

/** Loads the configuration, and warns of what is to be warned of. @throws ConfigError */
export async function openConfig(cli: CliContext): Promise<LoadedConfig> {
  const { machine, options, output } = cli
  const config = await loadConfig(options.config, machine)
  output.subject = { vault: config.vault, host: config.host }
  output.log('info', 'started', { event: 'start' })
  for (const warning of config.warnings) output.warn(warning)
  output.note(`configuration: ${config.file}`)
  return config
}

/** A reader takes variables out of the environment: another one would not find them. */
const readers = new WeakMap<LoadedConfig, SecretReader>()

/** The reader of a configuration's secrets. Takes those that are environment variables out of the environment. */
export function openSecrets(config: LoadedConfig, { machine, signal }: CliContext): SecretReader {
  const known = readers.get(config)
  if (known) return known
  const reader = createSecretReader([config.sources, config.sinks, config.notify], {
    env: machine.env,
    path: (value) => config.path(value),
    signal,
  })
  readers.set(config, reader)
  return reader
}

/**
 * Opens the sinks to read from: those that `--from` names, in that order, or all. Warns of what is older than it should be: who reads
 * is to know it. @throws UsageError
 */
export async function openReadingSinks(config: LoadedConfig, cli: CliContext): Promise<OpenSinks> {
  const { signal, options, output } = cli
  const now = new Date()
  for (const { subject, message } of await findStale(config, await readNotifyLog(config.state), now))
    output.warn(`${subject}: ${message}`)
  return await openSinks(config, { secrets: openSecrets(config, cli), signal, names: options.from })
}
