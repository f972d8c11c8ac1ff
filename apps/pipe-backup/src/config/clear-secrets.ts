import type { ConfigPath } from './config-document.ts'
import { type Config, findNotifyType, findSinkType, findSourceType } from './schema.ts'

/** A secret that stands in a configuration as itself. */
export interface ClearSecret {
  readonly path: ConfigPath
  readonly value: string
}

/** The secrets that the configuration holds in the clear. */
export function* clearSecrets(config: Config): Generator<ClearSecret> {
  for (const [index, source] of config.sources.entries()) {
    yield* amongOptions(source, findSourceType(source.type).secrets, ['sources', index])
    const env = 'env' in source ? source.env : undefined
    if (isObject(env))
      yield* amongOptions(env, Object.keys(env).filter(soundsSecret), ['sources', index, 'env'])
  }
  for (const [index, sink] of config.sinks.entries()) {
    yield* amongOptions(sink, findSinkType(sink.type).secrets, ['sinks', index])
  }
  for (const [index, notification] of (config.notify ?? []).entries()) {
    yield* amongOptions(notification, findNotifyType(notification.type).secrets, ['notify', index])
  }
}

/** Most variables are no secret: `LANG` in a configuration must not raise an alarm. */
function soundsSecret(variable: string): boolean {
  return /pass|pwd|secret|token|key|credential/i.test(variable)
}

function* amongOptions(options: object, keys: readonly string[], path: ConfigPath): Generator<ClearSecret> {
  for (const [key, value] of Object.entries(options)) {
    if (typeof value === 'string' && keys.includes(key)) yield { path: [...path, key], value }
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
