import type { Sink } from '@pipe-backup/sink'
import { ConfigError } from '../config/config-error.ts'

/** Opens a sink. What it says of its options is an error of the configuration. @throws ConfigError `bad-value` */
export function checked(name: string, open: () => Sink): Sink {
  try {
    return open()
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new ConfigError({ code: 'bad-value', message: `sink "${name}": ${cause.message}` }, { cause })
  }
}
