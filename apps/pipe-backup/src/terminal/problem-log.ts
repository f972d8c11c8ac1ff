import type { SourceProblem } from '@pipe-backup/source'
import { escapeControls } from './escape-bytes.ts'
import type { Output } from './output.ts'
import { plural } from './quantities.ts'

/** A tree without permissions has a problem for each of its files: nobody reads a mail of a million lines. */
const MAX_LINES = 100

/** Reports entries that could not be taken. */
export interface ProblemLog {
  /** @param path - as people know it, its source's name first @param source - its name, for a log */
  readonly report: (path: string, problem: Pick<SourceProblem, 'code' | 'message'>, source?: string) => void
  /** Says how many were not reported. */
  readonly finish: () => void
}

/** One line for each problem, up to a limit without --verbose. What is left out on purpose is shown with --verbose alone. */
export function createProblemLog(output: Output): ProblemLog {
  let reported = 0
  let untold = 0
  return {
    report: (path, { code, message }, source) => {
      const details = { event: 'entry', message, path, source, code } as const
      const line = `${escapeControls(path)}: ${escapeControls(message)}`
      if (code === 'skipped') return output.note(`${line} (left out)`, details)
      if (reported === MAX_LINES && !output.verbose) {
        untold++
        return
      }
      reported++
      output.error(line, details)
    },
    finish: () => {
      if (untold > 0) output.error(`and ${plural(untold, 'problem')} more: --verbose shows all`)
    },
  }
}
