import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType } from '../config/schema.ts'
import type { Machine } from '../machine.ts'
import { secretVariables } from '../secrets/read-secret.ts'

/** Where the host key, the state, `~` and the files of libraries and other programs are. */
const PLACES = [
  'HOME',
  'XDG_CONFIG_HOME',
  'XDG_STATE_HOME',
  'NODE_EXTRA_CA_CERTS',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_ENDPOINT_URL_S3',
  'NO_PROXY',
  'no_proxy',
] as const

/**
 * The environment that a timer is to run in, as NAME=value: what has been tried by hand works at night as well. cron and systemd
 * themselves know little of it: systemd's own services have not even a HOME. No secrets: others can read crontabs and units.
 */
export function timerEnvironment({ env, home }: Pick<Machine, 'env' | 'home'>): readonly string[] {
  const values: NodeJS.ProcessEnv = { ...env, HOME: home }
  const places = PLACES.flatMap((name) => (values[name] ? [`${name}=${values[name]}`] : []))
  return [`PATH=${env['PATH'] ?? '/usr/bin:/bin'}`, ...places]
}

/** The variables that this configuration needs, by what is set here, and that a timer lacks: secrets, and what ends with a login. */
export function variablesNotInTimer(
  { sources, sinks, notify }: Pick<LoadedConfig, 'sources' | 'sinks' | 'notify'>,
  { env }: Pick<Machine, 'env'>,
): readonly string[] {
  const used = sinks.flatMap((sink) => findSinkType(sink.type).environment(sink))
  return [...new Set([...secretVariables([sources, sinks, notify]), ...used.filter((name) => env[name])])]
}
