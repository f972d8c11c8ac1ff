import type { Machine } from '../machine.ts'

/** Where the host key, the state and `~` are, and what the programs of sources and hooks look for their own files by. */
const PLACES = ['HOME', 'XDG_CONFIG_HOME', 'XDG_STATE_HOME'] as const

/**
 * The environment that a timer is to run in, as NAME=value: what has been tried by hand works at night as well. cron and systemd
 * themselves know little of it: systemd's own services have not even a HOME. No secrets: others can read crontabs and units.
 */
export function timerEnvironment({ env, home }: Pick<Machine, 'env' | 'home'>): readonly string[] {
  const values: NodeJS.ProcessEnv = { ...env, HOME: home }
  const places = PLACES.flatMap((name) => (values[name] ? [`${name}=${values[name]}`] : []))
  return [`PATH=${env['PATH'] ?? '/usr/bin:/bin'}`, ...places]
}
