import type { ConfigDocument, ConfigPath } from './config-document.ts'
import { ConfigError } from './config-error.ts'

/** The older keys of an application's `backup` object, and the options of a nextcloud sink that they mean. */
const OLDER_KEYS: Readonly<Record<string, string>> = {
  server: 'nextcloud_server',
  user: 'nextcloud_user',
  password: 'nextcloud_pass',
}

/**
 * Where a JSON file has a `backup` object, that is the configuration, so that it can live in an application's own
 * file. Its keys `nextcloud_server`, `nextcloud_user` and `nextcloud_pass` mean one more sink, `nextcloud`.
 * @throws ConfigError `bad-value` for a `backup` that is no object
 */
export function unwrapApplication(document: ConfigDocument, file: string): ConfigDocument {
  if (!isObject(document.value) || !Object.hasOwn(document.value, 'backup')) return document
  const { backup } = document.value
  if (!isObject(backup)) {
    throw new ConfigError({
      code: 'bad-value',
      message: 'must be an object: the configuration of pipe-backup',
      file,
      path: 'backup',
      ...document.locate(['backup'], 'value'),
    })
  }
  const { value, sinkIndex } = unfoldOlderKeys(backup)
  const outside = (path: ConfigPath): ConfigPath => {
    const [sinks, index, option] = path
    if (sinkIndex === undefined || sinks !== 'sinks' || index !== sinkIndex) return ['backup', ...path]
    return ['backup', OLDER_KEYS[String(option)] ?? 'nextcloud_server']
  }
  return {
    value,
    locate: (path, at) => document.locate(outside(path), at),
    describe: (path) => document.describe(outside(path)),
  }
}

function unfoldOlderKeys(backup: Readonly<Record<string, unknown>>): { value: unknown; sinkIndex?: number } {
  const older = Object.entries(OLDER_KEYS).filter(([, key]) => Object.hasOwn(backup, key))
  if (older.length === 0) return { value: backup }
  const olderNames: ReadonlySet<string> = new Set(Object.values(OLDER_KEYS))
  const rest = Object.fromEntries(Object.entries(backup).filter(([key]) => !olderNames.has(key)))
  const options = Object.fromEntries(older.map(([option, key]) => [option, backup[key]]))
  const sink = { type: 'nextcloud', name: 'nextcloud', ...options }
  const sinks: readonly unknown[] | undefined = rest['sinks'] === undefined ? [] : asArray(rest['sinks'])
  // Something else than a list: let the schema say so.
  if (sinks === undefined) return { value: rest }
  return { value: { ...rest, sinks: [...sinks, sink] }, sinkIndex: sinks.length }
}

function asArray(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
