import { homedir, hostname } from 'node:os'

/** What the program finds around it. Passed in, so that tests have a machine of their own. */
export interface Machine {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly home: string
  readonly hostName: string
  /** User id of this process; `undefined` where there is no such thing. */
  readonly uid: number | undefined
  /** Where a system-wide configuration is. */
  readonly systemConfig: string
  /** Where the state of a system-wide configuration goes. */
  readonly systemState: string
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    hostName: hostname(),
    uid: process.getuid?.(),
    systemConfig: '/etc/pipe-backup',
    systemState: '/var/lib/pipe-backup',
  }
}
