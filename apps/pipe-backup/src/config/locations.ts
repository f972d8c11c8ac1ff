import { dirname, isAbsolute, join, relative } from 'node:path'
import type { Machine } from '../machine.ts'

/** The user's configuration directory. @see https://specifications.freedesktop.org/basedir-spec/ */
export function userConfigDirectory({ env, home }: Machine): string {
  return join(xdg(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), 'pipe-backup')
}

/** The default places of a vault's host key file and of its state. */
export interface Locations {
  readonly hostKey: string
  readonly state: string
}

/**
 * One rule: a configuration in `/etc/pipe-backup` is the system's, its key is beside it and its state in
 * `/var/lib/pipe-backup`; any other is the user's, and both are in the user's XDG directories.
 */
export function defaultLocations(vault: string, configFile: string, machine: Machine): Locations {
  if (relative(machine.systemConfig, dirname(configFile)) === '') {
    return { hostKey: join(machine.systemConfig, `${vault}.key`), state: join(machine.systemState, vault) }
  }
  const stateHome = xdg(machine.env['XDG_STATE_HOME']) ?? join(machine.home, '.local', 'state')
  return {
    hostKey: join(userConfigDirectory(machine), `${vault}.key`),
    state: join(stateHome, 'pipe-backup', vault),
  }
}

/** The specification says that a relative path is to be ignored. */
function xdg(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined
}
