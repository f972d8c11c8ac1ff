import { UsageError } from './usage-error.ts'

/**
 * A time that bounds something, as a person writes it: local unless it says otherwise. A date alone means its first moment.
 * @param option - that has it, `--since`
 * @throws UsageError for what is no time
 */
export function timeOption(option: string, spec: string | undefined): Date | undefined {
  if (spec === undefined) return undefined
  const time = new Date(spec.length === 10 ? `${spec}T00:00` : spec)
  if (!Number.isNaN(time.getTime())) return time
  throw new UsageError(`${option}: "${spec}" is not a time`, 'Write it as 2026-11-23T10:00.')
}
