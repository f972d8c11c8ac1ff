import type { Policy } from '@pipe-backup/retention'
import { ifSet } from './if-set.ts'
import type { LoadedConfig } from './load-config.ts'
import { toMilliseconds } from './values.ts'

/** What `keep` says; undefined where it says nothing. */
export function policyOf({ keep }: LoadedConfig): Policy | undefined {
  if (keep === undefined || Object.keys(keep).length === 0) return undefined
  const { within, ...counts } = keep
  return { ...counts, within: ifSet(within, toMilliseconds) }
}
