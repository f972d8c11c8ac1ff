import type { Output } from '../terminal/output.ts'
import { plural } from '../terminal/quantities.ts'
import type { EntryChoice } from './choose-entries.ts'
import type { Stripped } from './strip-paths.ts'

/** What a restore has left out, and how much it has not. */
export interface LeftOut {
  readonly choice: Pick<EntryChoice, 'unmatched'> | undefined
  /** How many components were taken off each path. */
  readonly strip: number
  readonly stripped: Stripped
  /** That were restored. */
  readonly entries: number
}

/** Reports what was asked for and is not restored. @returns the exit code: 1 for what is missing, 3 for what was left out on the way */
export function reportLeftOut({ choice, strip, stripped, entries }: LeftOut, output: Output): number {
  const { files, directories, problems } = stripped
  if (entries === 0 && (choice || files + directories > 0)) {
    const what = choice ? '--include and --exclude leave' : `--strip ${strip} leaves`
    output.error(`${what} nothing of what was asked for`)
    return 1
  }
  const missing = choice?.unmatched ?? []
  for (const pattern of missing) output.error(`--include ${JSON.stringify(pattern)} matches nothing`)
  if (files > 0)
    output.warn(
      `${plural(files, 'entry', 'entries')} left out: no more than ${plural(strip, 'component')} in the path, of which --strip ${strip} leaves nothing`,
    )
  if (missing.length > 0 || problems > 0) return 1
  return files > 0 ? 3 : 0
}
