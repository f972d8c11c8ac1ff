import { type LoadedConfig, loadConfig } from '../config/load-config.ts'
import { type OpenSinks, openSinks } from '../providers/open-sinks.ts'
import { createSecretReader, type SecretReader } from '../secrets/read-secret.ts'
import type { Session } from '../session.ts'

/** Loads the configuration, and warns of what is to be warned of. @throws ConfigError */
export async function openConfig(session: Session): Promise<LoadedConfig> {
  const { machine, options, output } = session
  const config = await loadConfig(options.config, machine)
  for (const warning of config.warnings) output.warn(warning)
  output.note(`configuration: ${config.file}`)
  return config
}

/** A reader of the configuration's secrets. Takes those that are environment variables out of the environment. */
export function openSecrets(config: LoadedConfig, { machine, signal }: Session): SecretReader {
  return createSecretReader([config.sources, config.sinks, config.notify], {
    env: machine.env,
    path: (value) => config.path(value),
    signal,
  })
}

/** Opens the sinks to read from: those that `--from` names, in that order, or all. @throws UsageError */
export async function openReadingSinks(config: LoadedConfig, session: Session): Promise<OpenSinks> {
  const { signal, options } = session
  return await openSinks(config, { secrets: openSecrets(config, session), signal, names: options.from })
}
