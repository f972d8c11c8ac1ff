import { isTag } from '@pipe-backup/vault'
import { UsageError } from '../usage-error.ts'

/** @throws UsageError for a text that can be no tag, naming it */
export function checkTags(tags: readonly string[]): void {
  const bad = tags.find((tag) => !isTag(tag))
  if (bad === undefined) return
  throw new UsageError(
    `${JSON.stringify(bad)} is no tag`,
    'A tag has 1 to 128 bytes, no comma, no control character, and no blank at its ends. For two tags write them one after the other.',
  )
}
