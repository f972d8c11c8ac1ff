import type { Config } from './schema.ts'

const WHOLE = ['notify'] as const

/** Options that are there and that this version accepts but does nothing about. */
export function notActedOn(config: Config): readonly string[] {
  return WHOLE.filter((key) => config[key] !== undefined)
}
