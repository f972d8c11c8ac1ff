import type { Config } from './schema.ts'

const WHOLE = ['schedule', 'notify'] as const
const SOURCE = ['every', 'before', 'after'] as const

/** Options that are there and that this version accepts but does nothing about, as paths: `sources[1].every`. */
export function notActedOn(config: Config): readonly string[] {
  const given = <T extends object>(
    value: T,
    keys: readonly (keyof T & string)[],
    prefix: string,
  ): readonly string[] => keys.filter((key) => value[key] !== undefined).map((key) => `${prefix}${key}`)
  return [
    ...given(config, WHOLE, ''),
    ...config.sources.flatMap((source, index) => given(source, SOURCE, `sources[${index}].`)),
  ]
}
